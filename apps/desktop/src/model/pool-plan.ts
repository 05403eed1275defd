// What a person asks of a node pool, as the body of Resource Manager's PUT and as the `az` command that does the same.

export interface PoolPlan {
  readonly name: string
  readonly mode: 'User' | 'System'
  readonly count: number
  readonly vmSize: string
  /** `app=web, tier=front`. */
  readonly labels: string
  /** `key=value:NoSchedule, other:NoExecute`. */
  readonly taints: string
  readonly simulated: boolean
}

export const firstPool: PoolPlan = {
  name: '',
  mode: 'User',
  count: 1,
  vmSize: 'Standard_D2s_v5',
  labels: '',
  taints: '',
  simulated: false,
}

const labelText = /^([a-z0-9.-]+\/)?[A-Za-z0-9]([-\w.]{0,61}[A-Za-z0-9])?=([A-Za-z0-9]([-\w.]{0,61}[A-Za-z0-9])?)?$/
const taintText = /^([a-z0-9.-]+\/)?[A-Za-z0-9][-\w.]*(=[-\w.]*)?:(NoSchedule|PreferNoSchedule|NoExecute)$/

/** A sentence for each field that is wrong. */
export function poolFaults(
  plan: PoolPlan,
  taken: readonly string[] = [],
): Readonly<Partial<Record<keyof PoolPlan, string>>> {
  const found: Partial<Record<keyof PoolPlan, string>> = {}
  if (!/^[a-z][a-z0-9]{0,11}$/.test(plan.name)) found.name = '1 to 12 small letters and digits, a letter first.'
  else if (taken.includes(plan.name)) found.name = 'There is a pool of this name.'
  const least = plan.mode === 'System' ? 1 : 0
  if (!Number.isInteger(plan.count) || plan.count < least || plan.count > 1000) found.count = `From ${least} to 1000.`
  if (!wordsOf(plan.labels).every((word) => labelText.test(word))) found.labels = 'key=value, separated by commas.'
  if (!wordsOf(plan.taints).every((word) => taintText.test(word)))
    found.taints = 'key=value:NoSchedule, PreferNoSchedule or NoExecute, separated by commas.'
  return found
}

function wordsOf(text: string): readonly string[] {
  return text
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '')
}

export function labelsOf(text: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    wordsOf(text).map((word) => [word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1)]),
  )
}

export function taintsOf(text: string): readonly string[] {
  return wordsOf(text)
}

export function labelsText(labels: Readonly<Record<string, string>> = {}): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(', ')
}

/** Properties of the pool that is made. */
export function poolBody(plan: PoolPlan): Readonly<Record<string, unknown>> {
  const labels = labelsOf(plan.labels)
  const taints = taintsOf(plan.taints)
  return {
    count: plan.count,
    vmSize: plan.vmSize,
    mode: plan.mode,
    osType: 'Linux',
    type: 'VirtualMachineScaleSets',
    ...(Object.keys(labels).length === 0 ? {} : { nodeLabels: labels }),
    ...(taints.length === 0 ? {} : { nodeTaints: taints }),
    ...(plan.simulated ? { tags: { 'aksel.simulated': 'true' } } : {}),
  }
}

export interface PoolPlace {
  readonly group: string
  readonly cluster: string
}

function quoted(words: readonly string[]): string {
  return words.map((word) => (/^[\w.=:/-]+$/.test(word) ? word : `'${word}'`)).join(' ')
}

export function addCommand({ group, cluster }: PoolPlace, plan: PoolPlan): string {
  const labels = wordsOf(plan.labels)
  const taints = wordsOf(plan.taints)
  return [
    `az aks nodepool add -g ${group} --cluster-name ${cluster} -n ${plan.name === '' ? 'NAME' : plan.name}`,
    `--mode ${plan.mode} -c ${plan.count} -s ${plan.vmSize}`,
    ...(labels.length === 0 ? [] : [`--labels ${quoted(labels)}`]),
    ...(taints.length === 0 ? [] : [`--node-taints ${taints.join(',')}`]),
    ...(plan.simulated ? ['--simulated'] : []),
  ].join(' ')
}

export function updateCommand(
  { group, cluster }: PoolPlace,
  { name, labels, taints }: Pick<PoolPlan, 'name' | 'labels' | 'taints'>,
): string {
  return `az aks nodepool update -g ${group} --cluster-name ${cluster} -n ${name} --labels ${quoted(wordsOf(labels))} --node-taints '${wordsOf(taints).join(',')}'`
}
