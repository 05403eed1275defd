// List, then watch from where the list ended, and begin anew when the server no longer knows that place: what every client of
// Kubernetes does, with network and time handed in.

export interface ListWatchPorts<Page, Event> {
  /** Rejects with a RefusedError where the server says no. */
  readonly list: (query: string, signal: AbortSignal) => Promise<Page>
  /** Ends normally where the server ended it. Rejects as `list` does, and when the connection is lost. */
  readonly watch: (query: string, onEvent: (event: Event) => void, signal: AbortSignal) => Promise<void>
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>
}

export interface ListWatchHandler<Page, Event> {
  /** Begins with the first page of a list; `first` says so. */
  readonly page: (page: Page, first: boolean) => Promise<void> | void
  /** The list is whole. */
  readonly listed: () => void
  /** Returns the revision that the event brings, where it does. */
  readonly event: (event: Event) => string | undefined
  readonly state: (state: ListWatchState) => void
}

export type ListWatchState =
  | { readonly kind: 'listing' }
  | { readonly kind: 'live' }
  /** Going on by itself. */
  | { readonly kind: 'retrying'; readonly message: string }
  /** The server said no, and would say so again. */
  | { readonly kind: 'refused'; readonly status: number; readonly message: string }

export class RefusedError extends Error {
  readonly status: number
  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

interface PageMeta {
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string }
}

/** The first page is small: rows are on the screen at once. */
const PAGE = { first: 250, next: 1000 } as const
const RETRY = { firstMs: 500, mostMs: 15_000 } as const
const WATCH_SECONDS = 300
/** A server that ends each watch at once is not asked without a breath. */
const REOPEN_MS = 100

/** Until the signal or a refusal. Never rejects. */
export async function listAndWatch<Page extends PageMeta, Event>(
  ports: ListWatchPorts<Page, Event>,
  handler: ListWatchHandler<Page, Event>,
  signal: AbortSignal,
): Promise<void> {
  let failures = 0
  while (!signal.aborted) {
    try {
      handler.state({ kind: 'listing' })
      let revision = await listAll(ports, handler, signal)
      handler.state({ kind: 'live' })
      failures = 0
      while (!signal.aborted) {
        const query = `watch=true&allowWatchBookmarks=true&resourceVersion=${revision}&timeoutSeconds=${WATCH_SECONDS}`
        await ports.watch(query, (event) => (revision = handler.event(event) ?? revision), signal)
        await ports.sleep(REOPEN_MS, signal)
      }
    } catch (error) {
      if (signal.aborted) return
      const refused = error instanceof RefusedError ? error : undefined
      if (refused !== undefined && isFinal(refused.status))
        return handler.state({ kind: 'refused', status: refused.status, message: refused.message })
      // A revision that is too old is no fault: the list begins anew at once.
      if (refused?.status === 410) continue
      failures += 1
      handler.state({ kind: 'retrying', message: (error as Error).message })
      await ports.sleep(Math.min(RETRY.mostMs, RETRY.firstMs * 2 ** (failures - 1)), signal).catch(() => {})
    }
  }
}

function isFinal(status: number): boolean {
  return status === 401 || status === 403 || status === 404 || status === 405 || status === 406
}

async function listAll<Page extends PageMeta, Event>(
  ports: ListWatchPorts<Page, Event>,
  handler: ListWatchHandler<Page, Event>,
  signal: AbortSignal,
): Promise<string> {
  let token = ''
  let first = true
  for (;;) {
    const query = `limit=${first ? PAGE.first : PAGE.next}${token === '' ? '' : `&continue=${encodeURIComponent(token)}`}`
    const page = await ports.list(query, signal)
    await handler.page(page, first)
    first = false
    token = page.metadata?.continue ?? ''
    if (token !== '') continue
    handler.listed()
    return page.metadata?.resourceVersion ?? '0'
  }
}

/** Lines out of pieces that end anywhere. */
export function lineSplitter(onLine: (line: string) => void): (piece: Uint8Array) => void {
  const decoder = new TextDecoder()
  let rest = ''
  return (piece) => {
    const text = rest + decoder.decode(piece, { stream: true })
    let from = 0
    for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', from)) {
      if (at > from) onLine(text.slice(from, at))
      from = at + 1
    }
    rest = text.slice(from)
  }
}
