// What a deployment is told of the place where it runs, and how resource ids are built there.

import { integer, text } from '../arguments.ts'
import { BadArgument, ExpressionError } from '../errors.ts'
import type { Frame } from '../frame.ts'
import type { ObjectValue, Value } from '../values.ts'
import { fn, type TemplateFunction } from './function.ts'

const guidForm = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

function texts(args: readonly Value[], from = 0): readonly string[] {
  return args.slice(from).map((_, at) => text(args, at + from))
}

/** `Microsoft.X/a/b` and the names of an `a` and a `b` → `Microsoft.X/a/{name}/b/{name}`. */
function typed(type: string, names: readonly string[]): string {
  const [namespace, ...types] = type.split('/')
  if (types.length === 0 || types.length !== names.length) {
    throw new BadArgument(
      `is not valid: the type '${type}' has ${types.length} segment(s) after its namespace, and ${names.length} resource name(s) were provided`,
    )
  }
  return [namespace!, ...types.flatMap((part, at) => [part, names[at]!])].join('/')
}

/** The type is the first argument with a slash; what comes before it says where. */
function placed(args: readonly Value[]): { where: readonly string[]; type: string; names: readonly string[] } {
  const all = texts(args)
  const at = all.findIndex((part) => part.includes('/'))
  if (at === -1 || at > 2) throw new BadArgument('expects a resource type such as Microsoft.Network/virtualNetworks')
  return { where: all.slice(0, at), type: all[at]!, names: all.slice(at + 1) }
}

function resourceId(args: readonly Value[], { facts }: Frame): string {
  const { where, type, names } = placed(args)
  const subscription =
    where.length === 2 || (where.length === 1 && guidForm.test(where[0]!))
      ? where[0]
      : facts.subscription.subscriptionId
  const group =
    where.length === 2
      ? where[1]
      : where.length === 1 && !guidForm.test(where[0]!)
        ? where[0]
        : facts.resourceGroup?.name
  if (/^microsoft\.resources\/(resourcegroups|subscriptions)$/i.test(type))
    return subscriptionWide(subscription!, type, names)
  if (group === undefined) return `/subscriptions/${subscription}/providers/${typed(type, names)}`
  return `/subscriptions/${subscription}/resourceGroups/${group}/providers/${typed(type, names)}`
}

function subscriptionResourceId(args: readonly Value[], { facts }: Frame): string {
  const { where, type, names } = placed(args)
  return subscriptionWide(where[0] ?? facts.subscription.subscriptionId, type, names)
}

function subscriptionWide(subscriptionId: string, type: string, names: readonly string[]): string {
  if (/^microsoft\.resources\/resourcegroups$/i.test(type))
    return `/subscriptions/${subscriptionId}/resourceGroups/${names[0]}`
  return `/subscriptions/${subscriptionId}/providers/${typed(type, names)}`
}

function group({ facts }: Frame): ObjectValue {
  if (facts.resourceGroup !== undefined) return facts.resourceGroup
  throw new ExpressionError("The template function 'RESOURCEGROUP' is not expected at this location")
}

/** Zones of an Azure region are called 1, 2 and 3. */
function pickZones(args: readonly Value[]): Value {
  texts(args.slice(0, 3))
  const count = args.length > 3 ? integer(args, 3) : 1
  const offset = args.length > 4 ? integer(args, 4) : 0
  return ['1', '2', '3'].slice(offset, offset + count)
}

export const scopes: Readonly<Record<string, TemplateFunction>> = {
  resourceId: fn(2, Infinity, resourceId),
  subscriptionResourceId: fn(2, Infinity, subscriptionResourceId),
  tenantResourceId: fn(2, Infinity, (args) => `/providers/${typed(text(args, 0), texts(args, 1))}`),
  extensionResourceId: fn(
    3,
    Infinity,
    (args) => `${text(args, 0).replace(/\/$/, '')}/providers/${typed(text(args, 1), texts(args, 2))}`,
  ),
  managementGroupResourceId: fn(
    3,
    Infinity,
    (args) =>
      `/providers/Microsoft.Management/managementGroups/${text(args, 0)}/providers/${typed(text(args, 1), texts(args, 2))}`,
  ),
  resourceGroup: fn(0, 0, (_, frame) => group(frame)),
  subscription: fn(0, 0, (_, { facts }) => facts.subscription),
  tenant: fn(0, 0, (_, { facts }) => ({ tenantId: facts.tenantId, displayName: 'Aksel', countryCode: '' })),
  deployment: fn(0, 0, (_, { facts }) => facts.deployment),
  environment: fn(0, 0, (_, { facts }) => facts.environment),
  deployer: fn(0, 0, (_, { facts }) => facts.deployer),
  pickZones: fn(3, 5, pickZones),
}
