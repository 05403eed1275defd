// What was told of one object: its events, the newest first.

import { useCluster } from '../data/cluster.tsx'
import { useLiveTable } from '../data/live-table.ts'
import { useNow } from '../data/now.ts'
import type { KubeObject } from '../data/use-object.ts'
import { ageText } from '../model/kube-table.ts'
import { Empty, Loading } from './states.tsx'

const newest = { filter: '', sort: { column: 'Last Seen', descending: true } } as const

export function ObjectEvents({ object }: { readonly object: KubeObject }) {
  const cluster = useCluster()
  const nowMs = useNow()
  const { namespace = 'default', name } = object.metadata
  const path = `/api/v1/namespaces/${namespace}/events?fieldSelector=${encodeURIComponent(`involvedObject.name=${name},involvedObject.kind=${object.kind}`)}`
  const { update } = useLiveTable([{ cluster: cluster.key, path }], [], newest)
  const at = (name: string): number => update?.columns.findIndex((column) => column.name === name) ?? -1
  return (
    <section className="card" aria-label="Events">
      {update === undefined ? (
        <Loading label="Reading events" />
      ) : update.rows.length === 0 ? (
        <Empty title="No events">
          {update.state.kind === 'refused' ? update.state.message : 'Nothing was told of it in the last hour.'}
        </Empty>
      ) : (
        <div className="body tablebox" tabIndex={0} style={{ paddingTop: 8 }}>
          <table className="plain">
            <thead>
              <tr>
                <th>Type</th>
                <th>Reason</th>
                <th>Message</th>
                <th className="right" style={{ paddingRight: 0 }}>
                  Age
                </th>
              </tr>
            </thead>
            <tbody>
              {update.rows.map((row) => {
                const type = row.cells[at('Type')]
                return (
                  <tr key={row.key}>
                    <td style={{ whiteSpace: 'nowrap' }}>
                      <span className={`dot ${type === 'Warning' ? 'warn' : 'quiet'}`} />
                      {type}
                    </td>
                    <td style={{ whiteSpace: 'nowrap' }}>{row.cells[at('Reason')]}</td>
                    <td style={{ overflowWrap: 'anywhere' }}>{row.cells[at('Message')]}</td>
                    <td className="right dim" style={{ paddingRight: 0, whiteSpace: 'nowrap' }}>
                      {ageText(nowMs - Number(row.cells[at('Last Seen')] ?? row.createdMs))}
                    </td>
                  </tr>
                )
              })}
            </tbody>
          </table>
        </div>
      )}
    </section>
  )
}
