/**
 * Subscriptions that were parsed and validated before: a thousand dashboards send the same text, and each keeps its document as
 * long as its socket. Only what is valid is remembered, the least recently used is forgotten.
 */
import {
  type DocumentNode,
  type GraphQLError,
  type GraphQLSchema,
  getOperationAST,
  Kind,
  parse,
  specifiedRules,
  validate,
  visit,
} from 'graphql';
import { limitRules, MAX_TOKENS } from '../limits.js';

const MAX_DOCUMENTS = 500;
const MAX_LENGTH_REMEMBERED = 16 * 1024;

export class KnownDocuments {
  readonly #schema: GraphQLSchema;
  readonly #documents = new Map<string, DocumentNode>();

  constructor(schema: GraphQLSchema) {
    this.#schema = schema;
  }

  /**
   * @returns the document, or the errors of validation
   * @throws GraphQLError when it cannot be parsed
   */
  read(text: string): DocumentNode | readonly GraphQLError[] {
    const known = this.#documents.get(text);
    const document = known ?? parse(text, { maxTokens: MAX_TOKENS });
    const errors = known ? [] : validate(this.#schema, document, [...specifiedRules, ...limitRules]);
    if (errors.length > 0) return errors;
    this.#remember(text, document);
    return document;
  }

  #remember(text: string, document: DocumentNode): void {
    if (text.length > MAX_LENGTH_REMEMBERED) return;
    this.#documents.delete(text);
    this.#documents.set(text, document);
    const [oldest] = this.#documents.keys();
    if (this.#documents.size > MAX_DOCUMENTS && oldest !== undefined) this.#documents.delete(oldest);
  }
}

/** Variables that only say where to begin: each the `after` of the subscription's own field, and used nowhere else. */
export function resumeVariables(document: DocumentNode, operationName: string | null): string[] {
  const fields = getOperationAST(document, operationName)?.selectionSet.selections ?? [];
  const used = usesOfVariables(document);
  return fields
    .flatMap((field) => (field.kind === Kind.FIELD ? (field.arguments ?? []) : []))
    .flatMap(({ name, value }) => (name.value === 'after' && value.kind === Kind.VARIABLE ? [value.name.value] : []))
    .filter((name) => used.get(name) === 1);
}

function usesOfVariables(document: DocumentNode): Map<string, number> {
  const uses = new Map<string, number>();
  visit(document, {
    VariableDefinition: () => false,
    Variable: ({ name }) => void uses.set(name.value, (uses.get(name.value) ?? 0) + 1),
  });
  return uses;
}
