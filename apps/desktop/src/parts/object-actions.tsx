// What one may do to the object that one looks at; what one may not is not shown.

import {
  Button,
  Menu,
  MenuDivider,
  MenuItem,
  MenuList,
  MenuPopover,
  MenuTrigger,
  MessageBar,
  MessageBarBody,
} from '@fluentui/react-components'
import {
  ArrowClockwiseRegular,
  DeleteRegular,
  MoreHorizontalRegular,
  PlayRegular,
  ResizeRegular,
} from '@fluentui/react-icons'
import { lazy, Suspense, useState } from 'react'
import { useCluster } from '../data/cluster.tsx'
import { sendOrder } from '../data/send-order.ts'
import type { KubeObject } from '../data/use-object.ts'
import { cordonOrder, deleteOrder, restartOrder, suspendOrder, triggerOrder, type Order } from '../model/actions.ts'
import type { ApiResource } from '../model/resources.ts'

const ConfirmDialog = lazy(async () => ({ default: (await import('./confirm-dialog.tsx')).ConfirmDialog }))
const ScaleDialog = lazy(async () => ({ default: (await import('./scale-dialog.tsx')).ScaleDialog }))
const DrainDialog = lazy(async () => ({ default: (await import('./drain-dialog.tsx')).DrainDialog }))

const restartable = ['Deployment', 'StatefulSet', 'DaemonSet']
/** Losing one of these loses what is in it: confirmed by name. */
const dear = ['Namespace', 'PersistentVolumeClaim', 'PersistentVolume', 'CustomResourceDefinition', 'Node']

type Open = 'scale' | 'delete' | 'drain' | 'restart'

export function ObjectActions({ resource, object }: { readonly resource: ApiResource; readonly object: KubeObject }) {
  const cluster = useCluster()
  const [open, setOpen] = useState<Open>()
  const [error, setError] = useState('')
  const { kind, metadata, spec = {} } = object
  const target = { namespace: metadata.namespace ?? '', name: metadata.name }
  const may = (verb: string, subresource?: string): boolean =>
    cluster.may(
      {
        verb,
        group: resource.group,
        resource: resource.resource,
        name: metadata.name,
        ...(subresource === undefined ? {} : { subresource }),
      },
      metadata.namespace,
    )
  const run = (order: Order): void => {
    setError('')
    sendOrder(cluster.key, order).catch((failure: unknown) => setError((failure as Error).message))
  }
  const close = (): void => setOpen(undefined)
  const canScale = resource.subresources.includes('scale') && may('patch', 'scale')
  const canRestart = restartable.includes(kind) && may('patch')
  const isNode = kind === 'Node' && may('patch')
  const isCron = kind === 'CronJob' && may('patch')
  return (
    <div className="row wrap">
      {error !== '' && (
        <MessageBar intent="error">
          <MessageBarBody>{error}</MessageBarBody>
        </MessageBar>
      )}
      {canScale && (
        <Button size="small" icon={<ResizeRegular />} onClick={() => setOpen('scale')}>
          Scale
        </Button>
      )}
      {canRestart && (
        <Button size="small" icon={<ArrowClockwiseRegular />} onClick={() => setOpen('restart')}>
          Restart
        </Button>
      )}
      {isNode && (
        <>
          <Button
            size="small"
            onClick={() => run(cordonOrder(resource, metadata.name, spec['unschedulable'] !== true))}
          >
            {spec['unschedulable'] === true ? 'Uncordon' : 'Cordon'}
          </Button>
          <Button size="small" onClick={() => setOpen('drain')}>
            Drain
          </Button>
        </>
      )}
      {isCron && (
        <>
          <Button
            size="small"
            icon={<PlayRegular />}
            onClick={() => run(triggerOrder(object, `manual-${Date.now().toString(36).slice(-5)}`))}
          >
            Run now
          </Button>
          <Button size="small" onClick={() => run(suspendOrder(resource, target, spec['suspend'] !== true))}>
            {spec['suspend'] === true ? 'Resume' : 'Suspend'}
          </Button>
        </>
      )}
      {may('delete') && (
        <Menu>
          <MenuTrigger disableButtonEnhancement>
            <Button size="small" appearance="subtle" icon={<MoreHorizontalRegular />} aria-label="More" />
          </MenuTrigger>
          <MenuPopover>
            <MenuList>
              <MenuItem
                onClick={() =>
                  void navigator.clipboard.writeText(
                    `kubectl get ${resource.resource} ${metadata.name}${target.namespace === '' ? '' : ` -n ${target.namespace}`} -o yaml`,
                  )
                }
              >
                Copy the kubectl command
              </MenuItem>
              <MenuDivider />
              <MenuItem icon={<DeleteRegular />} onClick={() => setOpen('delete')}>
                Delete
              </MenuItem>
            </MenuList>
          </MenuPopover>
        </Menu>
      )}
      <Suspense fallback={null}>
        {open === 'scale' && <ScaleDialog resource={resource} object={object} onClose={close} />}
        {open === 'drain' && <DrainDialog node={metadata.name} onClose={close} />}
        {open === 'restart' && (
          <ConfirmDialog
            title={`Restart ${metadata.name}?`}
            action="Restart"
            onClose={close}
            onConfirm={() => sendOrder(cluster.key, restartOrder(resource, target, Date.now()))}
          >
            Its pods are replaced one after the other, as its strategy says.
          </ConfirmDialog>
        )}
        {open === 'delete' && (
          <ConfirmDialog
            title={`Delete ${metadata.name}?`}
            action="Delete"
            {...(dear.includes(kind) ? { word: metadata.name } : {})}
            onClose={close}
            onConfirm={() => sendOrder(cluster.key, deleteOrder(resource, target))}
          >
            {kind === 'Namespace' ? 'Everything in it goes as well.' : `The ${kind} goes, and what it owns.`}
          </ConfirmDialog>
        )}
      </Suspense>
    </div>
  )
}
