// What may be done to many at once.

import { Button } from '@fluentui/react-components'
import { ArrowClockwiseRegular, DeleteRegular } from '@fluentui/react-icons'
import { useState } from 'react'
import { useCluster } from '../data/cluster.tsx'
import { sendOrder } from '../data/send-order.ts'
import { deleteOrder, restartOrder, type Order, type Target } from '../model/actions.ts'
import type { ApiResource } from '../model/resources.ts'
import { ConfirmDialog } from './confirm-dialog.tsx'

/** Side by side, so that a hundred do not take a hundred round trips and do not take the server either. */
const AT_ONCE = 8

export function BulkActions({
  resource,
  keys,
  onDone,
}: {
  readonly resource: ApiResource
  readonly keys: readonly string[]
  readonly onDone: () => void
}) {
  const cluster = useCluster()
  const [asked, setAsked] = useState<'delete' | 'restart'>()
  const may = (verb: string): boolean => cluster.may({ verb, group: resource.group, resource: resource.resource })
  const all = async (order: (target: Target) => Order): Promise<void> => {
    const rest = [...keys]
    const failures: string[] = []
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        for (let key = rest.shift(); key !== undefined; key = rest.shift()) {
          await sendOrder(cluster.key, order(targetOf(key))).catch((error: unknown) =>
            failures.push((error as Error).message),
          )
        }
      }),
    )
    if (failures.length > 0) throw new Error(`${failures.length} of ${keys.length} failed: ${failures[0]}`)
    onDone()
  }
  const what = keys.length === 1 ? keys[0] : `${keys.length} ${resource.resource}`
  return (
    <div className="row">
      <span className="dim" style={{ fontSize: 12 }}>
        {keys.length} marked
      </span>
      {['deployments', 'statefulsets', 'daemonsets'].includes(resource.resource) && may('patch') && (
        <Button size="small" icon={<ArrowClockwiseRegular />} onClick={() => setAsked('restart')}>
          Restart
        </Button>
      )}
      {may('delete') && (
        <Button size="small" icon={<DeleteRegular />} onClick={() => setAsked('delete')}>
          Delete
        </Button>
      )}
      {asked === 'delete' && (
        <ConfirmDialog
          title={`Delete ${what}?`}
          action="Delete"
          {...(keys.length > 10 ? { word: String(keys.length) } : {})}
          onClose={() => setAsked(undefined)}
          onConfirm={() => all((target) => deleteOrder(resource, target))}
        >
          They go, and what they own.
        </ConfirmDialog>
      )}
      {asked === 'restart' && (
        <ConfirmDialog
          title={`Restart ${what}?`}
          action="Restart"
          onClose={() => setAsked(undefined)}
          onConfirm={() => all((target) => restartOrder(resource, target, Date.now()))}
        >
          Their pods are replaced as their strategies say.
        </ConfirmDialog>
      )}
    </div>
  )
}

function targetOf(key: string): Target {
  const at = key.indexOf('/')
  return at === -1 ? { namespace: '', name: key } : { namespace: key.slice(0, at), name: key.slice(at + 1) }
}
