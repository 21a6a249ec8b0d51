/**
 * A flow as a list of named steps (pure). One dispatcher decides which is next; steps never lead to one another. A purpose
 * lists its steps with what makes each due; the pages know each by its name, and what a flow leads to asks here once more.
 */
export const flowSteps = ['prove', 'consent'] as const;
export type FlowStep = (typeof flowSteps)[number];

export interface StepRule<View> {
  name: FlowStep;
  isDue(view: View): boolean;
}

/** Null: all are done. */
export function nextStep<View>(steps: readonly StepRule<View>[], view: View): FlowStep | null {
  return steps.find((step) => step.isDue(view))?.name ?? null;
}
