/**
 * Who may see and do what, enforced once over the whole schema. Every operation declares its rule (`@Requires`,
 * `@Authenticated`, `@Public`); a schema with one that does not is refused. Below operations, each kind of object has a
 * reading permission, wherever in a document it turns up. What a mutation answers is covered by the mutation's own.
 */
import {
  defaultFieldResolver,
  type GraphQLField,
  type GraphQLObjectType,
  type GraphQLSchema,
  getNamedType,
  isAbstractType,
  isObjectType,
} from 'graphql';
import { type Permission, requirePermission } from '../kernel/actor.js';
import { RequestError } from '../kernel/errors.js';
import type { AccessRule } from '../request/permission.js';
import type { RequestContext } from '../request/request-context.js';

/** Connections and edges follow their node. Types not listed are parts of what holds them, or the guest's own. */
export const readPermissions: Record<string, Permission> = {
  Tenant: 'TENANT_READ',
  ApiKey: 'API_KEY_READ',
  ExternalUser: 'EXTERNAL_USER_READ',
  Identity: 'EXTERNAL_USER_READ',
  Credential: 'EXTERNAL_USER_READ',
  Session: 'EXTERNAL_USER_READ',
  TermsOfUse: 'TENANT_READ',
  TermsOfUseText: 'TENANT_READ',
  TermsAcceptance: 'EXTERNAL_USER_READ',
  Group: 'GROUP_READ',
  App: 'APP_READ',
  AppAssignment: 'APP_READ',
  IdentityProvider: 'IDENTITY_PROVIDER_READ',
  OpenIdConnectProvider: 'IDENTITY_PROVIDER_READ',
  SamlProvider: 'IDENTITY_PROVIDER_READ',
  Partner: 'PARTNER_READ',
  RoleAssignment: 'ROLE_READ',
  Invitation: 'INVITATION_READ',
  InvitationCounts: 'INVITATION_READ',
  RedemptionFunnel: 'INVITATION_READ',
  TimelinePoint: 'INVITATION_READ',
  UnsubscribedRecipient: 'INVITATION_READ',
  BulkInvite: 'INVITATION_READ',
  BulkInviteRow: 'INVITATION_READ',
  RedemptionEvent: 'EVENT_READ',
  RedemptionExplanation: 'INVITATION_READ',
};

export function readPermissionOf(typeName: string): Permission | undefined {
  return readPermissions[typeName.replace(/(Connection|Edge)$/, '')];
}

export function authorise(schema: GraphQLSchema): GraphQLSchema {
  for (const operations of [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()]) {
    for (const field of Object.values(operations?.getFields() ?? {}))
      guardOperation(operations as GraphQLObjectType, field);
  }
  for (const type of Object.values(schema.getTypeMap())) {
    if (isObjectType(type) && !type.name.startsWith('__') && !answersForItself(schema, type)) guardFields(schema, type);
  }
  return schema;
}

/** @returns null when an operation has no rule. */
export function accessRuleOf(field: GraphQLField<unknown, unknown>): AccessRule | null {
  const { permission, access } = field.extensions as { permission?: Permission; access?: 'public' | 'authenticated' };
  if (permission) return { permission };
  return access ? { access } : null;
}

type Field = GraphQLField<unknown, RequestContext>;

function guardOperation(parent: GraphQLObjectType, field: Field): void {
  const rule = accessRuleOf(field as GraphQLField<unknown, unknown>);
  if (!rule) throw new Error(`${parent.name}.${field.name} declares no permission.`);
  const check = checkOf(rule);
  const { resolve = defaultFieldResolver, subscribe } = field;
  field.resolve = (source, args, ctx, info) => {
    check(ctx);
    return resolve(source, args, ctx, info);
  };
  if (!subscribe) return;
  field.subscribe = (source, args, ctx, info) => {
    check(ctx);
    return subscribe(source, args, ctx, info);
  };
}

function checkOf(rule: AccessRule): (ctx: RequestContext) => void {
  if ('permission' in rule) return (ctx) => requirePermission(ctx.actor, rule.permission);
  if (rule.access === 'public') return () => undefined;
  return (ctx) => {
    if (ctx.actor.kind === 'GUEST') throw new RequestError('UNAUTHENTICATED');
  };
}

function guardFields(schema: GraphQLSchema, type: GraphQLObjectType): void {
  for (const field of Object.values(type.getFields()) as Field[]) {
    const permissions = permissionsToRead(schema, field);
    if (permissions.length === 0) continue;
    const { resolve = defaultFieldResolver } = field;
    field.resolve = (source, args, ctx, info) => {
      for (const permission of permissions) requirePermission(ctx.actor, permission);
      return resolve(source, args, ctx, info);
    };
  }
}

/** A field of a union or interface needs the permissions of everything it can show. */
function permissionsToRead(schema: GraphQLSchema, field: Field): Permission[] {
  const type = getNamedType(field.type);
  const shown = isAbstractType(type) ? schema.getPossibleTypes(type).map((possible) => possible.name) : [type.name];
  return [...new Set(shown.flatMap((name) => readPermissionOf(name) ?? []))];
}

/** Operations have rules of their own; payloads show what the mutation's permission covers; a credential sees its tenant. */
function answersForItself(schema: GraphQLSchema, type: GraphQLObjectType): boolean {
  const isOperation = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()].includes(type);
  return isOperation || type.name.endsWith('Payload') || type.name === 'Viewer';
}
