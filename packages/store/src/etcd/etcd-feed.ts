// One watch on everything below the prefix, kept up over broken connections: it resumes where it was, and puts together what
// etcd sends in fragments, so that the changes of one revision always arrive together.

import { sleep, type Timer } from '@aksel/base/clock'
import type { Scope } from '@aksel/base/scope'
import type { EtcdClient, WatchCall } from './etcd-client.ts'
import { numberOf, rangeEndOf, type WatchResponse } from './etcd-proto.ts'

export interface FeedEvent {
  readonly key: Buffer
  /** Undefined: the key was deleted. */
  readonly value: Uint8Array | undefined
}

export interface FeedOptions {
  readonly client: EtcdClient
  readonly prefix: Buffer
  /** Where the reader is: the feed resumes behind it. */
  readonly revision: () => number
  /** All changes of one revision, in order of revisions, each once. */
  readonly changed: (revision: number, events: readonly FeedEvent[]) => void
  /** Everything up to the revision was delivered. */
  readonly progressed: (revision: number) => void
  /** Whether somebody waits for a change that etcd has confirmed. */
  readonly isAwaited: () => boolean
  /** History behind the reader is gone: it must read anew. The feed goes on behind `revision()` afterwards. */
  readonly compacted: (compactRevision: number) => Promise<void>
}

/** Between attempts, growing to this. */
const RETRY_MS_MAX = 1_000
/** A member that has not confirmed the watch by then is given up. */
const CREATE_MS = 2_000

/** A member that says nothing for so long while something is awaited is given up: it is stopped, or cut off from us. */
const SILENT_MS = 2_000

type Outcome =
  | { readonly kind: 'broken'; readonly why: string; readonly progressed: boolean }
  | { readonly kind: 'compacted'; readonly compactRevision: number }

/** Runs until the scope ends. */
export async function runFeed(scope: Scope, options: FeedOptions): Promise<void> {
  const { client } = options
  let failures = 0
  while (!scope.signal.aborted) {
    let outcome: Outcome
    let member: number | undefined
    try {
      const watch = await client.watch()
      member = watch.member
      outcome = await follow(scope, watch.call, options)
    } catch (error) {
      outcome = { kind: 'broken', why: String(error), progressed: false }
    }
    if (scope.signal.aborted) return
    if (outcome.kind === 'compacted') {
      await options.compacted(outcome.compactRevision)
      continue
    }
    failures = outcome.progressed ? 0 : failures + 1
    scope.log.debug('the watch on etcd broke', { why: outcome.why, revision: options.revision() })
    if (member !== undefined) client.leave(member)
    if (failures > 0) await sleep(scope.clock, Math.min(RETRY_MS_MAX, 25 * 2 ** failures), scope.signal).catch(() => {})
  }
}

/** One stream, from its start to its end. */
function follow(scope: Scope, call: WatchCall, options: FeedOptions): Promise<Outcome> {
  const { promise, resolve } = Promise.withResolvers<Outcome>()
  let created = false
  let pieces: WatchResponse['events'][number][] = []
  const onAbort = (): void => call.cancel()
  const timer = scope.clock.after(CREATE_MS, () => end({ kind: 'broken', why: 'not answered', progressed: false }))
  let isSilent = false
  const listen = (): Timer =>
    scope.clock.after(SILENT_MS, () => {
      if (isSilent && options.isAwaited())
        return end({ kind: 'broken', why: 'silent while a change is awaited', progressed: created })
      isSilent = options.isAwaited()
      listening = listen()
    })
  let listening = listen()
  const end = (outcome: Outcome): void => {
    timer[Symbol.dispose]()
    listening[Symbol.dispose]()
    scope.signal.removeEventListener('abort', onAbort)
    call.cancel()
    resolve(outcome)
  }
  scope.signal.addEventListener('abort', onAbort, { once: true })
  call.on('data', (response: WatchResponse) => {
    isSilent = false
    if (response.created) {
      created = true
      timer[Symbol.dispose]()
    }
    if (response.canceled) {
      const compactRevision = numberOf(response.compactRevision)
      if (compactRevision > 0) return end({ kind: 'compacted', compactRevision })
      return end({ kind: 'broken', why: response.cancelReason, progressed: false })
    }
    pieces.push(...response.events)
    if (response.fragment) return
    const events = pieces
    pieces = []
    if (events.length > 0) deliver(events, options)
    // The answer to the creation carries etcd's newest revision, not how far this watch is; later empty ones are progress.
    else if (!response.created) options.progressed(numberOf(response.header.revision))
  })
  call.on('error', (error: Error) => end({ kind: 'broken', why: error.message, progressed: created }))
  call.on('end', () => end({ kind: 'broken', why: 'the stream ended', progressed: created }))
  call.write({
    createRequest: {
      key: options.prefix,
      rangeEnd: rangeEndOf(options.prefix),
      startRevision: options.revision() + 1,
      progressNotify: true,
      fragment: true,
    },
  })
  return promise
}

function deliver(events: readonly WatchResponse['events'][number][], options: FeedOptions): void {
  for (let i = 0; i < events.length;) {
    const revision = numberOf(events[i]!.kv.modRevision)
    const changes: FeedEvent[] = []
    for (; i < events.length && numberOf(events[i]!.kv.modRevision) === revision; i++) {
      const { type, kv } = events[i]!
      changes.push({ key: kv.key as Buffer, value: type === 0 ? kv.value : undefined })
    }
    // Never twice, whatever a member sends after a reconnect.
    if (revision > options.revision()) options.changed(revision, changes)
  }
}
