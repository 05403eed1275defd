// What operations are called, and what they say they do: code generators make functions of the names.

import type { KindFact } from '../tables.ts'

const verbs: Readonly<Record<string, string>> = {
  list: 'list',
  get: 'read',
  post: 'create',
  put: 'replace',
  patch: 'patch',
  delete: 'delete',
  deletecollection: 'delete',
  watch: 'watch',
  watchlist: 'watch',
  connect: 'connect',
}

export interface NamedOperation {
  /** Below the group version. */
  readonly path: string
  readonly method: string
  readonly action: string
  /** '' for the object itself. */
  readonly subresource: string
}

export const capital = (word: string): string => word.slice(0, 1).toUpperCase() + word.slice(1)

/** `listAppsV1NamespacedDeployment`, `readCoreV1NamespacedPodStatus`, `deleteCoreV1CollectionNamespacedPod`. */
export function operationNames(
  fact: KindFact,
  { path, method, action, subresource }: NamedOperation,
): { readonly id: string; readonly description: string } {
  const isNamespaced = path.includes('{namespace}')
  const parts = [
    verbs[action]!,
    groupWord(fact.group),
    capital(fact.version),
    action === 'connect' ? capital(method) : '',
    action === 'deletecollection' ? 'Collection' : '',
    isNamespaced ? 'Namespaced' : '',
    fact.kind,
    capital(subresource),
    action === 'watchlist' ? 'List' : '',
    path.endsWith('/{path}') ? 'WithPath' : '',
    fact.namespaced === true && !isNamespaced ? 'ForAllNamespaces' : '',
  ]
  return { id: parts.join(''), description: describe(fact.kind, method, action, subresource) }
}

function describe(kind: string, method: string, action: string, subresource: string): string {
  const what = subresource === '' ? `the ${kind}` : `the ${subresource} of the ${kind}`
  switch (action) {
    case 'list':
      return `Lists or watches objects of kind ${kind}.`
    case 'get':
      return `Reads ${what}.`
    case 'post':
      return subresource === '' ? `Creates an object of kind ${kind}.` : `Creates ${what}.`
    case 'put':
      return `Replaces ${what}.`
    case 'patch':
      return `Changes parts of ${what}.`
    case 'delete':
      return `Deletes ${what}.`
    case 'deletecollection':
      return `Deletes the selected objects of kind ${kind}.`
    case 'connect':
      return `Connects ${method.toUpperCase()} requests to ${what}.`
    default:
      return `Watches objects of kind ${kind}. Deprecated: list with watch=true instead, for one object with a field selector on its name.`
  }
}

/** `RbacAuthorization` of rbac.authorization.k8s.io, `Apps` of apps; of other groups every part. */
export function groupWord(group: string): string {
  if (group === '') return 'Core'
  return wordsOf(group).map(capital).join('')
}

/** `apps_v1`, `rbacAuthorization_v1`. */
export function tagOf({ group, version }: Pick<KindFact, 'group' | 'version'>): string {
  return `${groupTag(group)}_${version}`
}

export function groupTag(group: string): string {
  const [first = 'core', ...rest] = group === '' ? [] : wordsOf(group)
  return [first, ...rest.map(capital)].join('')
}

function wordsOf(group: string): readonly string[] {
  return group.replace(/\.k8s\.io$/, '').split(/[.-]/)
}
