// Objects that a pod names and that are not there.

import { inNamespace } from '../finding.ts'
import type { Picture } from '../picture.ts'
import { didYouMean, listed } from '../words.ts'

export interface MissingReference {
  readonly id: string
  readonly cause: string
  readonly fix: string
  readonly commands: readonly string[]
}

const notFound = /(configmap|secret|serviceaccount)s? "(?:[\w.-]+\/)?([\w.-]+)" not found/i
const noKey = /couldn't find key ([\w.-]+) in (ConfigMap|Secret) (?:[\w.-]+\/)?([\w.-]+)/
const noKeys = /references non-existent (config|secret) key: ([\w.-]+)/
const unregistered = /object "[\w.-]+"\/"([\w.-]+)" not registered/

/** What the words of the node say is missing; undefined where they say nothing of that kind. */
export function missingReference(picture: Picture, namespace: string, message: string): MissingReference | undefined {
  const key = noKey.exec(message)
  if (key !== null) return missingKey(picture, namespace, { key: key[1]!, kind: key[2]!, name: key[3]! })
  const keys = noKeys.exec(message)
  if (keys !== null) {
    const kind = keys[1] === 'config' ? 'ConfigMap' : 'Secret'
    return { ...missingKey(picture, namespace, { key: keys[2]!, kind, name: '' }), id: 'containers/missing-key' }
  }
  const found = notFound.exec(message)
  const name = found?.[2] ?? unregistered.exec(message)?.[1]
  if (name === undefined) return undefined
  const kind = /secret/i.test(found?.[1] ?? '')
    ? 'Secret'
    : /account/i.test(found?.[1] ?? '')
      ? 'ServiceAccount'
      : 'ConfigMap'
  const [same, other] =
    kind === 'Secret' ? [picture.secrets, picture.configMaps] : [picture.configMaps, picture.secrets]
  const here = (objects: typeof same): readonly string[] =>
    objects.filter(({ metadata }) => metadata.namespace === namespace).map(({ metadata }) => metadata.name)
  const twin = here(other).includes(name)
  const plural = kind === 'Secret' ? 'secret' : kind === 'ConfigMap' ? 'configmap' : 'serviceaccount'
  return {
    id: `containers/missing-${plural}`,
    cause: `${kind} "${name}" does not exist in namespace "${namespace}".${twin ? ` There is a ${kind === 'Secret' ? 'ConfigMap' : 'Secret'} of that name.` : didYouMean(name, here(same))}`,
    fix: `Create it, correct its name in the pod, or mark it as optional.`,
    commands: [`kubectl get ${plural}${inNamespace({ namespace })}`],
  }
}

function missingKey(
  picture: Picture,
  namespace: string,
  { key, kind, name }: { readonly key: string; readonly kind: string; readonly name: string },
): MissingReference {
  const object = (kind === 'Secret' ? picture.secrets : picture.configMaps).find(
    ({ metadata }) => metadata.namespace === namespace && metadata.name === name,
  )
  const known = Object.keys(object?.data ?? {})
  const plural = kind.toLowerCase()
  return {
    id: 'containers/missing-key',
    cause: `${kind} ${name === '' ? 'that it names' : `"${name}"`} has no key "${key}"${known.length === 0 ? '' : `; it has ${listed(known.slice(0, 10))}`}.${didYouMean(key, known)}`,
    fix: 'Add the key, or correct its name in the pod.',
    commands: [`kubectl describe ${plural} ${name}${inNamespace({ namespace })}`],
  }
}
