// A client whose writes end with the lead that allows them: who slept through the end of its lease writes nothing on waking.

import type { Client } from '@aksel/client/client'

/** One term of one leader, as its Lease tells it. Writes that name it are committed only while the Lease still says so. */
export interface Fence {
  readonly namespace: string
  readonly name: string
  /** Of the Lease: one that was deleted and made anew is another. */
  readonly uid: string
  readonly holder: string
  readonly transitions: number
}

/** What a leader knows of its own lead. */
export interface Lead {
  /** Hand it to the server with every write: a process that was stopped cannot know that its term is over, the store does. */
  readonly fence: Fence
  /** True while no other candidate can have taken over, by our own clock and from before our last renewal was sent. */
  holds(): boolean
}

/** Reads pass; a write rejects where the lead is not surely held. Another process is judged by the server's revisions. */
export function fencedClient(client: Client, lead: Lead): Client {
  const check = (): void => {
    if (!lead.holds()) throw new Error('Nothing is written: the lease that allows it is not held any more')
  }
  const write = async <R>(work: () => Promise<R>): Promise<R> => {
    check()
    return work()
  }
  return {
    get: (type, ref) => client.get(type, ref),
    list: (type, options) => client.list(type, options),
    watch: (type, options) => client.watch(type, options),
    create: (type, object, options) => write(() => client.create(type, object, options)),
    update: (type, object, options) => write(() => client.update(type, object, options)),
    patch: (type, ref, patch, options) => write(() => client.patch(type, ref, patch, options)),
    delete: (type, ref, options) => write(() => client.delete(type, ref, options)),
    deleteCollection: (type, options) => write(() => client.deleteCollection(type, options)),
    createSubresource: (type, ref, subresource, body) =>
      write(() => client.createSubresource(type, ref, subresource, body)),
    send: (request) => ((request.method ?? 'GET') === 'GET' ? client.send(request) : write(() => client.send(request))),
  }
}
