// What a person may do, from the server's own answer (SelfSubjectRulesReview), so that nothing is offered that would be refused.

export interface ResourceRule {
  readonly verbs: readonly string[]
  readonly apiGroups?: readonly string[]
  readonly resources?: readonly string[]
  readonly resourceNames?: readonly string[]
}

export interface Action {
  readonly verb: string
  readonly group: string
  readonly resource: string
  readonly subresource?: string
  readonly name?: string
}

/** As RBAC reads its rules: `*`, `pods/log`, star-slash-scale, names. */
export function allows(rules: readonly ResourceRule[], action: Action): boolean {
  return rules.some(
    (rule) =>
      has(rule.verbs, action.verb) &&
      has(rule.apiGroups ?? [], action.group) &&
      (rule.resources ?? []).some((each) => covers(each, action)) &&
      ((rule.resourceNames ?? []).length === 0 ||
        (action.name !== undefined && rule.resourceNames!.includes(action.name))),
  )
}

function has(list: readonly string[], value: string): boolean {
  return list.includes('*') || list.includes(value)
}

function covers(rule: string, { resource, subresource }: Action): boolean {
  if (rule === '*') return true
  const whole = subresource === undefined ? resource : `${resource}/${subresource}`
  return rule === whole || (subresource !== undefined && rule === `*/${subresource}`)
}

/** Namespaces that a person works in who may not list them: what the credential itself says, then what was added by hand. */
export function likelyNamespaces(
  username: string,
  contextNamespace: string | undefined,
  added: readonly string[],
): readonly string[] {
  const own = /^system:serviceaccount:([^:]+):/.exec(username)?.[1]
  const found = [own, contextNamespace, ...added].filter((each) => each !== undefined && each !== '') as string[]
  return found.length === 0 ? ['default'] : [...new Set(found)]
}
