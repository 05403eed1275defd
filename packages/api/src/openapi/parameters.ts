// What a request may carry in its path and its query, with our words: the same for every kind.

export interface Parameter {
  readonly name: string
  readonly place: 'path' | 'query'
  readonly type: 'string' | 'integer' | 'boolean'
  readonly description: string
}

type Query = readonly [type: Parameter['type'], description: string]

const query: Readonly<Record<string, Query>> = {
  allowWatchBookmarks: [
    'boolean',
    'Lets a watch send BOOKMARK events, which tell only the resourceVersion reached. No effect on lists.',
  ],
  command: ['string', 'The program to run and its arguments, one parameter for each; not run in a shell.'],
  container: ['string', 'The container. Absent means the only one, or the default one of the pod.'],
  continue: [
    'string',
    'Goes on with a list that was cut by limit; the token of its metadata. Once it has expired, the answer is 410 with a token that goes on from newer objects.',
  ],
  dryRun: ['string', 'With All, everything is checked and nothing is stored.'],
  fieldManager: [
    'string',
    'Who is told to own the written fields, at most 128 characters. Absent means the beginning of the User-Agent; an apply must give it.',
  ],
  fieldSelector: ['string', 'Only objects with such fields. Absent means all.'],
  fieldValidation: [
    'string',
    'What happens to unknown and duplicate fields: Strict refuses them, Warn (the default) drops them and tells so in headers, Ignore drops them.',
  ],
  follow: ['boolean', 'Goes on with new lines as they are written. Absent means false.'],
  force: ['boolean', 'An apply takes over fields that others own. Refused for other patches. Absent means false.'],
  gracePeriodSeconds: [
    'integer',
    'Seconds that the object may take to end; 0 deletes it at once. Absent means the default of its kind.',
  ],
  ignoreStoreReadErrorWithClusterBreakingPotential: [
    'boolean',
    'Deletes an object that can no longer be read from the store, without looking at finalizers and preconditions. Absent means false.',
  ],
  insecureSkipTLSVerifyBackend: ['boolean', 'The certificate of the node is not checked. Absent means false.'],
  labelSelector: ['string', 'Only objects with such labels. Absent means all.'],
  limit: [
    'integer',
    'How many items are answered at most. If there are more, the metadata of the list has a token for continue. Absent means all.',
  ],
  limitBytes: ['integer', 'How many bytes are answered at most. Absent means all.'],
  orphanDependents: ['boolean', 'Older form of propagationPolicy: true is Orphan. Only one of the two may be given.'],
  path: ['string', 'The path of the request that is passed on.'],
  ports: ['integer', 'The ports to forward. Needed over WebSocket.'],
  pretty: ['string', 'With true, the answer is indented. Absent means false, except for browsers, curl and wget.'],
  previous: ['boolean', 'The log of the container before its last restart. Absent means false.'],
  propagationPolicy: [
    'string',
    'What happens to objects that this one owns: Background deletes them afterwards, Foreground first, Orphan leaves them.',
  ],
  resourceVersion: [
    'string',
    'How new the answer must be; what exactly it means depends on the verb and on resourceVersionMatch. Absent means the newest.',
  ],
  resourceVersionMatch: ['string', 'How a list reads resourceVersion: Exact or NotOlderThan.'],
  sendInitialEvents: [
    'boolean',
    'A watch begins with an event for each object that there is, and a BOOKMARK after them. Needs resourceVersionMatch=NotOlderThan.',
  ],
  sinceSeconds: ['integer', 'Only lines of the last so many seconds. Absent means all.'],
  stderr: ['boolean', 'Passes standard error on. Absent means true for attach, and false for exec.'],
  stdin: ['boolean', 'Passes standard input on. Absent means false.'],
  stdout: ['boolean', 'Passes standard output on. Absent means true for attach, and false for exec.'],
  stream: ['string', 'Which lines: All (the default), Stdout or Stderr. Not together with tailLines unless All.'],
  tailLines: ['integer', 'How many lines are answered, counted from the end. Absent means all.'],
  timeoutSeconds: ['integer', 'Seconds after which the list or watch ends, whatever happens.'],
  timestamps: ['boolean', 'Puts the time before each line, as RFC 3339 writes it. Absent means false.'],
  tty: ['boolean', 'Gives the command a terminal. Absent means false.'],
  watch: ['boolean', 'Answers with changes as they happen, not with a list. Absent means false.'],
}

const write = ['dryRun', 'fieldManager', 'fieldValidation']
const removal = [
  'dryRun',
  'gracePeriodSeconds',
  'ignoreStoreReadErrorWithClusterBreakingPotential',
  'orphanDependents',
  'propagationPolicy',
]
const selection = [
  'continue',
  'fieldSelector',
  'labelSelector',
  'limit',
  'resourceVersion',
  'resourceVersionMatch',
  'sendInitialEvents',
  'timeoutSeconds',
]
const listing = ['allowWatchBookmarks', ...selection, 'watch']

const byAction: Readonly<Record<string, readonly string[]>> = {
  list: listing,
  watch: listing,
  watchlist: listing,
  get: [],
  post: write,
  put: write,
  patch: [...write, 'force'],
  delete: removal,
  deletecollection: [...selection, ...removal],
}

/** Of subresources that take other ones. */
const bySubresource: Readonly<Record<string, readonly string[]>> = {
  attach: ['container', 'stderr', 'stdin', 'stdout', 'tty'],
  exec: ['command', 'container', 'stderr', 'stdin', 'stdout', 'tty'],
  log: [
    'container',
    'follow',
    'insecureSkipTLSVerifyBackend',
    'limitBytes',
    'pretty',
    'previous',
    'sinceSeconds',
    'stream',
    'tailLines',
    'timestamps',
  ],
  portforward: ['ports'],
  proxy: ['path'],
}

/** Sorted by name, as upstream has them. */
export function queryParameters(action: string, subresource: string): readonly Parameter[] {
  const names = bySubresource[subresource] ?? [...(byAction[action] ?? []), 'pretty']
  return names.toSorted().map((name) => {
    const [type, description] = query[name]!
    return { name, place: 'query', type, description }
  })
}

export function pathParameters(path: string, kind: string): readonly Parameter[] {
  const words: Readonly<Record<string, string>> = {
    name: `The name of the ${kind}.`,
    namespace: 'The namespace of the objects.',
    path: 'The path of the request that is passed on.',
  }
  return Array.from(path.matchAll(/\{(\w+)\}/g), ([, name = '']) => ({
    name,
    place: 'path' as const,
    type: 'string' as const,
    description: words[name] ?? name,
  })).toSorted((a, b) => (a.name < b.name ? -1 : 1))
}
