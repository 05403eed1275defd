// Another number of replicas, with the command that does the same.

import { Field, SpinButton } from '@fluentui/react-components'
import { useState } from 'react'
import { useCluster } from '../data/cluster.tsx'
import { sendOrder } from '../data/send-order.ts'
import type { KubeObject } from '../data/use-object.ts'
import { scaleOrder } from '../model/actions.ts'
import type { ApiResource } from '../model/resources.ts'
import { DialogFrame } from './dialog-frame.tsx'
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
    <DialogFrame title={`Scale ${name}`} error={error} onClose={onClose} action={{ title: 'Scale', run: scale }}>
      <Field label="Replicas">
        <SpinButton
          min={0}
          value={replicas}
          onChange={(_, { value, displayValue }) => setReplicas(value ?? (Number(displayValue) || 0))}
        />
      </Field>
      <Command text={`kubectl scale ${resource.resource}/${name} -n ${namespace} --replicas=${replicas}`} />
    </DialogFrame>
  )
}
