// What a command that a model writes may do. The level is a guard against accidents; what the caller's identity may do decides the
// cluster. Names and levels are those of Azure's AKS-MCP.

export const accessLevels = ['readonly', 'readwrite', 'admin'] as const
export type AccessLevel = (typeof accessLevels)[number]

export type Verdict =
  | { readonly allowed: true; readonly args: readonly string[] }
  | { readonly allowed: false; readonly why: string }

/** The words of a command; quotes hold words together. Nothing that only a shell could do is understood. */
export function wordsOf(command: string): readonly string[] | undefined {
  if (/[\n\r\0`]|\$\(|\$\{/.test(command)) return undefined
  const words: string[] = []
  // A bare word may hold quoted parts: --selector='app=web'.
  const token = /\s*((?:"(?:[^"\\]|\\.)*"|'[^']*'|[^\s"'|&;<>()])+)/y
  for (let at = 0; at < command.length;) {
    if (command.slice(at).trim() === '') break
    token.lastIndex = at
    const match = token.exec(command)
    if (match === null) return undefined
    words.push(unquoted(match[1]!))
    at = token.lastIndex
    if (at < command.length && !/\s/.test(command[at]!)) return undefined
  }
  return words
}

function unquoted(word: string): string {
  return word.replaceAll(
    /"((?:[^"\\]|\\.)*)"|'([^']*)'/g,
    (_, double: string | undefined, single: string | undefined) =>
      double === undefined ? single! : double.replaceAll(/\\(.)/g, '$1'),
  )
}

type Rules = Readonly<Record<AccessLevel, ReadonlySet<string>>>

const kubectlVerbs: Rules = {
  readonly: new Set([
    'get',
    'describe',
    'explain',
    'logs',
    'top',
    'events',
    'api-resources',
    'api-versions',
    'cluster-info',
    'version',
    'diff',
    'auth can-i',
    'auth whoami',
    'config current-context',
    'config get-contexts',
    'rollout status',
    'rollout history',
    'wait',
    'help',
  ]),
  readwrite: new Set([
    'create',
    'apply',
    'delete',
    'patch',
    'replace',
    'edit',
    'expose',
    'run',
    'set',
    'scale',
    'autoscale',
    'label',
    'annotate',
    'rollout',
    'exec',
    'cp',
    'debug',
    'attach',
    'port-forward',
    'proxy',
  ]),
  admin: new Set(['cordon', 'uncordon', 'drain', 'taint', 'certificate', 'auth reconcile']),
}

/** Commands that need a terminal or never end: no model has use for them. */
const endless = new Set(['edit', 'attach', 'port-forward', 'proxy', 'cp'])

/** Flags that would act as somebody else or for another cluster, or show what proves an identity. */
const foreignFlags = [
  '--kubeconfig',
  '--token',
  '--server',
  '-s',
  '--as',
  '--as-group',
  '--as-uid',
  '--client-key',
  '--client-certificate',
  '--context',
  '--cluster',
  '--user',
  '--username',
  '--password',
  '--insecure-skip-tls-verify',
  '--certificate-authority',
  '--raw',
]

export interface Limits {
  readonly level: AccessLevel
  /** Empty: all. */
  readonly namespaces: readonly string[]
}

export function judgeKubectl(command: string, limits: Limits): Verdict {
  const words = wordsOf(command)
  if (words === undefined) return refused('Only plain words are understood: no pipes, redirections or substitutions.')
  const args = words[0] === 'kubectl' ? words.slice(1) : words
  const foreign = args.find((arg) => foreignFlags.some((flag) => arg === flag || arg.startsWith(`${flag}=`)))
  if (foreign !== undefined)
    return refused(`The flag ${foreign.split('=')[0]} is not allowed: commands run with the server's own credentials.`)
  const plain = verbWords(args)
  const verb = plain[0] ?? ''
  if (endless.has(verb)) return refused(`kubectl ${verb} needs a terminal or a second connection, and is not offered.`)
  const level = levelOf(kubectlVerbs, plain)
  if (level === undefined) return refused(`kubectl ${verb} is not offered.`)
  if (!reaches(limits.level, level))
    return refused(`kubectl ${verb} needs access level ${level}; this server runs with ${limits.level}.`)
  if (follows(args)) return refused('A command that follows (-f, --watch) never ends; ask again instead.')
  const secret = limits.level === 'admin' ? undefined : secretAsked(args, plain)
  if (secret !== undefined) return refused(secret)
  return namespaceVerdict(args, verb, limits)
}

function levelOf(rules: Rules, [verb = '', second = '']: readonly string[]): AccessLevel | undefined {
  for (const words of [`${verb} ${second}`, verb])
    for (const level of accessLevels) if (rules[level].has(words)) return level
  return undefined
}

export function reaches(has: AccessLevel, needs: AccessLevel): boolean {
  return accessLevels.indexOf(has) >= accessLevels.indexOf(needs)
}

/** Flags of kubectl that stand before the verb and take a word of their own. */
const withValue = new Set(['-n', '--namespace', '--request-timeout', '-v', '--v'])

function verbWords(args: readonly string[]): readonly string[] {
  const plain: string[] = []
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!
    if (arg === '--') break
    if (withValue.has(arg)) i += 1
    else if (!arg.startsWith('-')) plain.push(arg)
  }
  return plain
}

function follows(args: readonly string[]): boolean {
  const [verb] = verbWords(args)
  return args.some(
    (arg) =>
      /^--(?:follow|watch|watch-only)(?:=true)?$/.test(arg) ||
      (verb === 'logs' && arg === '-f') ||
      (verb === 'get' && arg === '-w') ||
      (verb === 'exec' && /^-(?:it|ti|t|i)$/.test(arg)),
  )
}

/** Whole secrets are for administrators: their names and keys are not. */
function secretAsked(args: readonly string[], [verb, ...rest]: readonly string[]): string | undefined {
  if (verb !== 'get') return undefined
  // `secret/x`, `pods,secrets`, `secrets.v1.`: a word of a resource list.
  const isSecret = rest.some((word) => word.split(',').some((part) => /^secrets?(?:[./]|$)/i.test(part)))
  const output = outputOf(args)
  if (!isSecret || output === undefined || output === 'name' || output === 'wide') return undefined
  return 'The contents of secrets are shown at access level admin only; kubectl describe shows their keys.'
}

function outputOf(args: readonly string[]): string | undefined {
  for (const [i, arg] of args.entries()) {
    if (arg === '-o' || arg === '--output') return args[i + 1] ?? ''
    const joined = /^(?:-o=?|--output=)(.+)$/.exec(arg)
    if (joined !== null) return joined[1]
  }
  return undefined
}

function namespaceVerdict(args: readonly string[], verb: string, { namespaces }: Limits): Verdict {
  if (namespaces.length === 0) return { allowed: true, args }
  if (args.some((arg) => /^(?:-A|--all-namespaces)(?:=true)?$/.test(arg)))
    return refused(`Only these namespaces may be looked at: ${namespaces.join(', ')}.`)
  const named = namespacesIn(args)
  const other = named.find((name) => !namespaces.includes(name))
  if (other !== undefined)
    return refused(`Namespace "${other}" may not be looked at; these may: ${namespaces.join(', ')}.`)
  const isFree = ['explain', 'api-resources', 'api-versions', 'version', 'help'].includes(verb)
  if (named.length === 0 && !isFree) return { allowed: true, args: ['-n', namespaces[0]!, ...args] }
  return { allowed: true, args }
}

function namespacesIn(args: readonly string[]): readonly string[] {
  return args.flatMap((arg, i) => {
    if (arg === '-n' || arg === '--namespace') return [args[i + 1] ?? '']
    const joined = /^(?:-n=?|--namespace=)(.+)$/.exec(arg)
    return joined === null ? [] : [joined[1]!]
  })
}

const helmVerbs: Rules = {
  readonly: new Set([
    'list',
    'ls',
    'status',
    'history',
    'get',
    'show',
    'template',
    'lint',
    'version',
    'search',
    'help',
  ]),
  readwrite: new Set(['install', 'upgrade', 'rollback', 'uninstall', 'test']),
  admin: new Set([]),
}

export function judgeHelm(command: string, limits: Limits): Verdict {
  const words = wordsOf(command)
  if (words === undefined) return refused('Only plain words are understood: no pipes, redirections or substitutions.')
  const args = words[0] === 'helm' ? words.slice(1) : words
  const foreign = args.find((arg) => /^--(?:kube|kubeconfig|registry-config|post-renderer)/.test(arg))
  if (foreign !== undefined) return refused(`The flag ${foreign.split('=')[0]} is not allowed.`)
  const plain = verbWords(args)
  const level = levelOf(helmVerbs, plain)
  if (level === undefined) return refused(`helm ${plain[0] ?? ''} is not offered.`)
  if (!reaches(limits.level, level))
    return refused(`helm ${plain[0]} needs access level ${level}; this server runs with ${limits.level}.`)
  return namespaceVerdict(args, plain[0]!, limits)
}

/** Verbs of `az` that only look, as the last words of a command. */
const azReads = new Set([
  'show',
  'list',
  'get-versions',
  'get-upgrades',
  'list-locations',
  'show-command',
  'check-network',
  'help',
  'version',
])
/** What shows or makes something that proves an identity. */
const azSecrets = /^(?:aks get-credentials|account get-access-token|login|aks (?:rotate-certs|nodepool .*credentials))/

export function judgeAz(command: string, { level }: Limits): Verdict {
  const words = wordsOf(command)
  if (words === undefined) return refused('Only plain words are understood: no pipes, redirections or substitutions.')
  const args = words[0] === 'az' ? words.slice(1) : words
  if (args.some((arg) => arg.startsWith('@') || arg.includes('=@')))
    return refused('Files of the server are not read: @file is not allowed.')
  const plain: string[] = []
  for (const arg of args) {
    if (arg.startsWith('-')) break
    plain.push(arg)
  }
  const said = plain.join(' ')
  if (said === '') return refused('An az command is wanted, such as "az aks list".')
  if (args.includes('--help') || args.includes('-h')) return { allowed: true, args }
  if (azSecrets.test(said))
    return level === 'admin'
      ? { allowed: true, args }
      : refused(`az ${said} shows or changes credentials: it needs access level admin.`)
  const isRead = azReads.has(plain.at(-1)!)
  if (!isRead && !reaches(level, 'readwrite'))
    return refused(`az ${said} changes something: it needs access level readwrite; this server runs with ${level}.`)
  // Nobody is there to say yes.
  const needsYes = plain.at(-1) === 'delete' && !args.includes('--yes') && !args.includes('-y')
  return { allowed: true, args: needsYes ? [...args, '--yes'] : args }
}

function refused(why: string): Verdict {
  return { allowed: false, why }
}
