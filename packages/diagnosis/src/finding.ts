// What a detector says: a symptom, what was seen, the cause, and the next command. No language model is asked.

/** An object by the words that kubectl takes. */
export interface Subject {
  readonly kind: string
  /** Absent for cluster-scoped objects. */
  readonly namespace?: string
  readonly name: string
}

export interface Evidence {
  readonly subject: Subject
  /** The field, event or log line as it stands there. */
  readonly line: string
}

/** `certain`: the objects say so themselves. `likely`: one reading of what they say. `possible`: worth a look. */
export type Confidence = 'certain' | 'likely' | 'possible'

/** The last two are told when they are asked for by name: a cluster that is well has such findings. */
export const families = [
  'pending',
  'containers',
  'workloads',
  'performance',
  'network',
  'storage',
  'access',
  'nodes',
  'security',
  'tidiness',
] as const
export type Family = (typeof families)[number]

export interface Finding {
  /** `pending/insufficient-resources`: the family and the cause. */
  readonly id: string
  readonly subject: Subject
  /** Others that suffer from the same cause in the same way. */
  readonly alsoAffected: readonly Subject[]
  readonly symptom: string
  readonly cause: string
  readonly evidence: readonly Evidence[]
  /** What to change, in words. */
  readonly fix: string
  /** To be run next, most useful first; they only look unless `fix` says otherwise. */
  readonly commands: readonly string[]
  readonly confidence: Confidence
}

/** A finding as a detector writes it. */
export type Found = Omit<Finding, 'alsoAffected'>

export function familyOf({ id }: Pick<Finding, 'id'>): Family {
  return id.slice(0, id.indexOf('/')) as Family
}

/** `pod/web-1`, as kubectl writes it. */
export function subjectText({ kind, namespace, name }: Subject): string {
  const text = `${kind.toLowerCase()}/${name}`
  return namespace === undefined ? text : `${namespace}/${text}`
}

/** The flag that chooses the subject's namespace, with the blank before it. */
export function inNamespace({ namespace }: Pick<Subject, 'namespace'>): string {
  return namespace === undefined ? '' : ` -n ${namespace}`
}

export function describeCommand(subject: Subject): string {
  return `kubectl describe ${subject.kind.toLowerCase()} ${subject.name}${inNamespace(subject)}`
}
