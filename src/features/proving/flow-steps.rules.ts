/**
 * A flow as a list of named steps (pure). One dispatcher decides which is next; steps never lead to one another. A purpose
 * lists its steps with what makes each due; its pages know each by its name, and what a flow leads to asks here once more.
 */
export interface StepRule<Name extends string, View> {
  name: Name;
  isDue(view: View): boolean;
}

/** Null: all are done. */
export function nextStep<Name extends string, View>(steps: readonly StepRule<Name, View>[], view: View): Name | null {
  return steps.find((step) => step.isDue(view))?.name ?? null;
}
