// The result of what-if as people read it: a sign for each resource, and below it what would change.

export interface WhatIfChange {
  readonly resourceId: string
  readonly changeType: string
  readonly before?: Readonly<Record<string, unknown>>
  readonly after?: Readonly<Record<string, unknown>>
  readonly delta?: readonly PropertyDelta[]
  readonly unsupportedReason?: string
}

export interface PropertyDelta {
  readonly path: string
  readonly propertyChangeType: string
  readonly before?: unknown
  readonly after?: unknown
  readonly children?: readonly PropertyDelta[]
}

const signs: Readonly<Record<string, string>> = {
  Create: '+',
  Modify: '~',
  Array: '~',
  Delete: '-',
  Deploy: '!',
  NoChange: '=',
  Ignore: '*',
  Unsupported: 'x',
  NoEffect: '=',
}

const order = ['Delete', 'Create', 'Deploy', 'Modify', 'Unsupported', 'NoChange', 'Ignore']
const words: Readonly<Record<string, string>> = {
  Delete: 'to delete',
  Create: 'to create',
  Deploy: 'to deploy',
  Modify: 'to modify',
  Unsupported: 'unsupported',
  NoChange: 'no change',
  Ignore: 'to ignore',
}

/** `scope` is the id of the group or subscription. */
export function whatIfText(scope: string, changes: readonly WhatIfChange[]): string {
  const sorted = order.flatMap((type) => changes.filter(({ changeType }) => changeType === type))
  const shown = [...new Set(sorted.map(({ changeType }) => changeType))]
  const counts = shown.map((type) => `${changes.filter((one) => one.changeType === type).length} ${words[type]}`)
  return [
    'Resource and property changes are indicated with these symbols:',
    ...shown.map((type) => `  ${signs[type]} ${type === 'NoChange' ? 'Nochange' : type}`),
    '',
    'The deployment will update the following scope:',
    '',
    `Scope: ${scope}`,
    ...sorted.flatMap((change) => ['', ...resourceLines(change, scope)]),
    '',
    counts.length === 0 ? 'Resource changes: no change.' : `Resource changes: ${counts.join(', ')}.`,
    '',
  ].join('\n')
}

function resourceLines(change: WhatIfChange, scope: string): readonly string[] {
  const { resourceId, changeType, before, after, delta = [] } = change
  const short = resourceId.replace(scope, '').replace(/^\/providers\//, '')
  const version = (after ?? before)?.['apiVersion']
  const head = `  ${signs[changeType]} ${short}${typeof version === 'string' ? ` [${version}]` : ''}`
  if (changeType === 'Create' && after !== undefined) return [head, '', ...valueLines(after, 6)]
  if (change.unsupportedReason !== undefined) return [head, `      ${change.unsupportedReason}`]
  return [head, ...delta.flatMap((one) => deltaLines(one, 4))]
}

function deltaLines(delta: PropertyDelta, indent: number): readonly string[] {
  const { path, propertyChangeType, before, after, children } = delta
  const head = `${' '.repeat(indent)}${signs[propertyChangeType]} ${path}:`
  if (children !== undefined && children.length > 0) {
    return [`${head} [`, ...children.flatMap((child) => deltaLines(child, indent + 2)), `${' '.repeat(indent)}  ]`]
  }
  if (propertyChangeType === 'Modify') return [`${head} ${JSON.stringify(before)} => ${JSON.stringify(after)}`]
  return [`${head} ${JSON.stringify(propertyChangeType === 'Delete' ? before : after)}`]
}

function valueLines(value: Readonly<Record<string, unknown>>, indent: number): readonly string[] {
  const width = Math.max(...Object.keys(value).map((name) => name.length)) + 1
  return Object.keys(value)
    .toSorted()
    .map((name) => `${' '.repeat(indent)}${`${name}:`.padEnd(width)} ${JSON.stringify(value[name])}`)
}
