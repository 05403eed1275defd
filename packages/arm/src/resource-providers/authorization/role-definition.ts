// What a role permits: lists of actions with stars, less the lists of what it does not. Pure.

export interface Permission {
  readonly actions: readonly string[]
  readonly notActions: readonly string[]
  /** What may be done inside a resource: in a cluster, by way of its Kubernetes API. */
  readonly dataActions: readonly string[]
  readonly notDataActions: readonly string[]
}

export interface RoleDefinition {
  readonly kind: 'roleDefinition'
  /** The last part of its id, a GUID in lower case. */
  readonly name: string
  readonly roleName: string
  readonly description: string
  readonly type: 'BuiltInRole' | 'CustomRole'
  readonly permissions: readonly Permission[]
  readonly assignableScopes: readonly string[]
  /** ISO 8601. */
  readonly createdOn: string
  readonly updatedOn: string
  readonly createdBy?: string
  readonly updatedBy?: string
}

/** An action that somebody wants to take; `data` asks for one inside a resource. */
export interface WantedAction {
  readonly action: string
  readonly data?: boolean
}

/** What one permission takes away, another of the same role may still give, as in Azure. */
export function permits({ permissions }: Pick<RoleDefinition, 'permissions'>, { action, data }: WantedAction): boolean {
  return permissions.some(({ actions, notActions, dataActions, notDataActions }) => {
    const [given, taken] = data === true ? [dataActions, notDataActions] : [actions, notActions]
    return given.some((pattern) => covers(pattern, action)) && !taken.some((pattern) => covers(pattern, action))
  })
}

/** Whether a pattern, in which a star stands for any text, slashes included, covers an action. No regard to case. */
export function covers(pattern: string, action: string): boolean {
  const pieces = pattern.toLowerCase().split('*')
  const text = action.toLowerCase()
  const [first, ...rest] = pieces as [string, ...string[]]
  if (rest.length === 0) return text === first
  if (!text.startsWith(first)) return false
  const last = rest.pop()!
  let at = first.length
  for (const piece of rest) {
    const found = text.indexOf(piece, at)
    if (found < 0) return false
    at = found + piece.length
  }
  return text.length - last.length >= at && text.endsWith(last)
}

/** Whether what is granted at one scope holds at another: at the same, or below it. `/` holds everywhere. */
export function holdsAt(granted: string, scope: string): boolean {
  if (granted === '/' || granted === '') return true
  const below = scope.toLowerCase()
  const above = granted.toLowerCase()
  return below === above || below.startsWith(`${above}/`)
}
