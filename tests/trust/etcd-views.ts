// What the members of an etcd say of each other: who leads, what their ids are, and whether they hold the same.

import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { EtcdMember, EtcdServer } from '@aksel/host/etcd-server'

export interface EtcdViews {
  readonly leader: () => Promise<EtcdMember>
  /** In hex. */
  readonly idOf: (member: EtcdMember) => Promise<string>
}

export function views(etcd: EtcdServer): EtcdViews {
  // Ids do not fit in a JSON number: they are read as text.
  const statuses = async (): Promise<
    readonly { readonly endpoint: string; readonly id: string; readonly leader: string }[]
  > =>
    (await told(etcd)).split(/(?="ClusterID")/).flatMap((part) => {
      const id = /"MemberID" : (\d+)/.exec(part)?.[1]
      const leader = /"Leader" : (\d+)/.exec(part)?.[1]
      const endpoint = /"Endpoint" : "([^"]+)"/.exec(part)?.[1]
      return id === undefined || leader === undefined || endpoint === undefined ? [] : [{ endpoint, id, leader }]
    })
  const memberAt = (endpoint: string): EtcdMember =>
    etcd.members.find(({ clientPort }) => endpoint.endsWith(`:${clientPort}`))!
  return {
    async leader() {
      const found = (await statuses()).find(({ id, leader }) => id === leader)
      assert.ok(found !== undefined, 'no member says that it leads')
      return memberAt(found.endpoint)
    },
    async idOf(member) {
      const { id } = (await statuses()).find(({ endpoint }) => memberAt(endpoint) === member)!
      return BigInt(id).toString(16)
    },
  }
}

/** One that comes back needs a while until it answers. */
async function told(etcd: EtcdServer): Promise<string> {
  const late = AbortSignal.timeout(30_000)
  for (;;) {
    try {
      return await etcd.control('endpoint', 'status', '-w=fields')
    } catch (error) {
      if (late.aborted) throw error
      await sleep(100)
    }
  }
}

/** Resolves when all members have the same keys; they may have to catch up first. */
export async function agreed(etcd: EtcdServer): Promise<void> {
  const late = AbortSignal.timeout(30_000)
  for (;;) {
    const hashes = new Set(
      [...(await etcd.control('endpoint', 'hashkv', '-w=fields')).matchAll(/"Hash" : (\d+)/g)].map((match) => match[1]),
    )
    if (hashes.size === 1) return
    late.throwIfAborted()
    await sleep(100)
  }
}
