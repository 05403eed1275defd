// Another number of replicas, with the command that does the same.

import {
  Button,
  Dialog,
  DialogActions,
  DialogBody,
  DialogContent,
  DialogSurface,
  DialogTitle,
  Field,
  MessageBar,
  MessageBarBody,
  SpinButton,
} from '@fluentui/react-components'
import { useState } from 'react'
import { useCluster } from '../data/cluster.tsx'
import { sendOrder } from '../data/send-order.ts'
import type { KubeObject } from '../data/use-object.ts'
import { scaleOrder } from '../model/actions.ts'
import type { ApiResource } from '../model/resources.ts'
import { Command } from './findings.tsx'

export function ScaleDialog({
  resource,
  object,
  onClose,
}: {
  readonly resource: ApiResource
  readonly object: KubeObject
  readonly onClose: () => void
}) {
  const cluster = useCluster()
  const { name, namespace = '' } = object.metadata
  const [replicas, setReplicas] = useState(Number(object.spec?.['replicas'] ?? 1))
  const [error, setError] = useState('')
  const scale = (): void =>
    void sendOrder(cluster.key, scaleOrder(resource, { namespace, name }, replicas)).then(onClose, (failure: unknown) =>
      setError((failure as Error).message),
    )
  return (
    <Dialog open onOpenChange={(_, { open }) => !open && onClose()}>
      <DialogSurface style={{ maxWidth: 480 }}>
        <DialogBody>
          <DialogTitle>Scale {name}</DialogTitle>
          <DialogContent className="stack">
            <Field label="Replicas">
              <SpinButton
                min={0}
                value={replicas}
                onChange={(_, { value, displayValue }) => setReplicas(value ?? (Number(displayValue) || 0))}
              />
            </Field>
            <Command text={`kubectl scale ${resource.resource}/${name} -n ${namespace} --replicas=${replicas}`} />
            {error !== '' && (
              <MessageBar intent="error" layout="multiline">
                <MessageBarBody>{error}</MessageBarBody>
              </MessageBar>
            )}
          </DialogContent>
          <DialogActions>
            <Button onClick={onClose}>Cancel</Button>
            <Button appearance="primary" onClick={scale}>
              Scale
            </Button>
          </DialogActions>
        </DialogBody>
      </DialogSurface>
    </Dialog>
  )
}
