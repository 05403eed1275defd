// What one may order of a node pool, each with the command that does the same.

import { Dropdown, Field, Input, Option, SpinButton, Switch } from '@fluentui/react-components'
import { useState } from 'react'
import { armPath, groupOf, type ArmCluster, type ArmPool } from '../data/arm.ts'
import { callJson } from '../data/api.ts'
import { useAsync } from '../data/use-async.ts'
import {
  addCommand,
  firstPool,
  labelsOf,
  labelsText,
  poolBody,
  poolFaults,
  taintsOf,
  updateCommand,
  type PoolPlan,
} from '../model/pool-plan.ts'
import { DialogFrame } from './dialog-frame.tsx'
import { Command } from './findings.tsx'

/** What is sent, and what the page says meanwhile. */
export interface PoolOrder {
  readonly pool: string
  readonly says: string
  readonly method: 'PUT' | 'POST' | 'DELETE'
  /** Below the pool. */
  readonly path?: string
  /** All properties of a new pool. */
  readonly properties?: Readonly<Record<string, unknown>>
  /** Over those that the pool has. */
  readonly change?: Readonly<Record<string, unknown>>
}

export interface PoolDialogProps {
  readonly cluster: ArmCluster
  readonly pool: ArmPool
  readonly onClose: () => void
  readonly onOrder: (order: PoolOrder) => void
}

const placeOf = (cluster: ArmCluster) => ({ group: groupOf(cluster.id), cluster: cluster.name })
const flagsOf = (cluster: ArmCluster, pool: string): string =>
  `-g ${groupOf(cluster.id)} --cluster-name ${cluster.name} -n ${pool}`

export function AddPoolDialog({ cluster, onClose, onOrder }: Omit<PoolDialogProps, 'pool'>) {
  const [plan, setPlan] = useState<PoolPlan>({ ...firstPool, simulated: cluster.properties.aksel?.simulated === true })
  const set = (change: Partial<PoolPlan>): void => setPlan((before) => ({ ...before, ...change }))
  const pools = cluster.properties.agentPoolProfiles ?? []
  const faults = poolFaults(
    plan,
    pools.map(({ name }) => name),
  )
  const isTold = plan.name !== ''
  return (
    <DialogFrame
      title="Add a node pool"
      widthPx={560}
      onClose={onClose}
      action={{
        title: 'Add pool',
        disabled: Object.keys(faults).length > 0,
        run: () => {
          onOrder({ pool: plan.name, says: `Adding ${plan.name}`, method: 'PUT', properties: poolBody(plan) })
          onClose()
        },
      }}
    >
      <Field label="Name" required {...(isTold && faults.name !== undefined ? { validationMessage: faults.name } : {})}>
        <Input value={plan.name} onChange={(_, { value }) => set({ name: value })} />
      </Field>
      <Field label="Mode">
        <Dropdown
          value={plan.mode}
          selectedOptions={[plan.mode]}
          onOptionSelect={(_, { optionValue }) => set({ mode: optionValue === 'System' ? 'System' : 'User' })}
        >
          <Option>User</Option>
          <Option>System</Option>
        </Dropdown>
      </Field>
      <Field label="Nodes" {...(faults.count === undefined ? {} : { validationMessage: faults.count })}>
        <SpinButton
          min={0}
          max={1000}
          value={plan.count}
          onChange={(_, { value, displayValue }) => set({ count: value ?? (Number(displayValue) || 0) })}
        />
      </Field>
      <Field label="Size">
        <Input value={plan.vmSize} onChange={(_, { value }) => set({ vmSize: value })} />
      </Field>
      <LabelFields plan={plan} faults={faults} onChange={set} />
      <Switch
        label="Simulated nodes: no container runs"
        checked={plan.simulated}
        onChange={(_, { checked }) => set({ simulated: checked })}
      />
      <Command text={addCommand(placeOf(cluster), plan)} />
    </DialogFrame>
  )
}

function LabelFields({
  plan,
  faults,
  onChange,
}: {
  readonly plan: Pick<PoolPlan, 'labels' | 'taints'>
  readonly faults: ReturnType<typeof poolFaults>
  readonly onChange: (change: Partial<PoolPlan>) => void
}) {
  return (
    <>
      <Field label="Labels" {...(faults.labels === undefined ? {} : { validationMessage: faults.labels })}>
        <Input placeholder="tier=batch" value={plan.labels} onChange={(_, { value }) => onChange({ labels: value })} />
      </Field>
      <Field label="Taints" {...(faults.taints === undefined ? {} : { validationMessage: faults.taints })}>
        <Input
          placeholder="batch=yes:NoSchedule"
          value={plan.taints}
          onChange={(_, { value }) => onChange({ taints: value })}
        />
      </Field>
    </>
  )
}

export function PoolLabelsDialog({ cluster, pool, onClose, onOrder }: PoolDialogProps) {
  const [plan, setPlan] = useState<PoolPlan>({
    ...firstPool,
    name: pool.name,
    labels: labelsText(pool.nodeLabels),
    taints: (pool.nodeTaints ?? []).join(', '),
  })
  const faults = poolFaults(plan)
  return (
    <DialogFrame
      title={`Labels and taints of ${pool.name}`}
      onClose={onClose}
      action={{
        title: 'Save',
        disabled: faults.labels !== undefined || faults.taints !== undefined,
        run: () => {
          const change = { nodeLabels: labelsOf(plan.labels), nodeTaints: taintsOf(plan.taints) }
          onOrder({ pool: pool.name, says: `Labelling ${pool.name}`, method: 'PUT', change })
          onClose()
        },
      }}
    >
      <LabelFields plan={plan} faults={faults} onChange={(change) => setPlan((before) => ({ ...before, ...change }))} />
      <Command text={updateCommand(placeOf(cluster), plan)} />
    </DialogFrame>
  )
}

export function ScalePoolDialog({ cluster, pool, onClose, onOrder }: PoolDialogProps) {
  const [count, setCount] = useState(pool.count ?? 1)
  return (
    <DialogFrame
      title={`Scale ${pool.name}`}
      onClose={onClose}
      action={{
        title: 'Scale',
        disabled: count === pool.count,
        run: () => {
          onOrder({ pool: pool.name, says: `Scaling ${pool.name} to ${count}`, method: 'PUT', change: { count } })
          onClose()
        },
      }}
    >
      <Field label="Nodes">
        <SpinButton
          min={0}
          max={1000}
          value={count}
          onChange={(_, { value, displayValue }) => setCount(value ?? (Number(displayValue) || 0))}
        />
      </Field>
      <Command text={`az aks nodepool scale ${flagsOf(cluster, pool.name)} -c ${count}`} />
    </DialogFrame>
  )
}

interface UpgradeProfile {
  readonly properties: {
    readonly upgrades?: readonly { readonly kubernetesVersion: string }[]
    readonly latestNodeImageVersion?: string
  }
}

const IMAGE = 'newest node image'

/** A pool goes no further than its control plane: Azure says which versions are open to it. */
export function UpgradePoolDialog({ cluster, pool, onClose, onOrder }: PoolDialogProps) {
  const profile = useAsync(`${cluster.id} ${pool.name}`, (signal) =>
    callJson<UpgradeProfile>(armPath(`${cluster.id}/agentPools/${pool.name}/upgradeProfiles/default`), { signal }),
  )
  const [target, setTarget] = useState(IMAGE)
  const versions = (profile.value?.properties.upgrades ?? []).map(({ kubernetesVersion }) => kubernetesVersion)
  const isImage = target === IMAGE
  return (
    <DialogFrame
      title={`Upgrade ${pool.name}`}
      onClose={onClose}
      error={profile.error === undefined ? '' : (profile.error as Error).message}
      action={{
        title: 'Upgrade',
        run: () => {
          onOrder(
            isImage
              ? {
                  pool: pool.name,
                  says: `Upgrading the image of ${pool.name}`,
                  method: 'POST',
                  path: '/upgradeNodeImageVersion',
                }
              : {
                  pool: pool.name,
                  says: `Upgrading ${pool.name} to ${target}`,
                  method: 'PUT',
                  change: { orchestratorVersion: target },
                },
          )
          onClose()
        },
      }}
    >
      <div className="dim">
        Kubernetes {pool.currentOrchestratorVersion}, image {pool.nodeImageVersion}. Nodes are drained and made anew one
        after the other, as the pool’s upgrade settings say.
      </div>
      <Field
        label="To"
        // Always one line: a dialog that grows under the pointer takes the press away from the button that was meant.
        hint={
          profile.value === undefined
            ? 'Azure is asked which versions are open to it.'
            : versions.length === 0
              ? 'The pool has the version of its control plane.'
              : `Open to it: ${versions.join(', ')}.`
        }
      >
        <Dropdown
          value={target}
          selectedOptions={[target]}
          onOptionSelect={(_, { optionValue }) => setTarget(optionValue ?? IMAGE)}
        >
          <Option>{IMAGE}</Option>
          {versions.map((version) => (
            <Option key={version}>{version}</Option>
          ))}
        </Dropdown>
      </Field>
      <Command
        text={`az aks nodepool upgrade ${flagsOf(cluster, pool.name)} ${isImage ? '--node-image-only' : `-k ${target}`}`}
      />
    </DialogFrame>
  )
}

/** Stops or starts: a stopped pool keeps its settings and has no machine. */
export function PowerPoolDialog({ cluster, pool, onClose, onOrder }: PoolDialogProps) {
  const stops = pool.powerState?.code !== 'Stopped'
  const verb = stops ? 'Stop' : 'Start'
  return (
    <DialogFrame
      title={`${verb} ${pool.name}?`}
      isQuestion
      onClose={onClose}
      action={{
        title: verb,
        run: () => {
          const change = { powerState: { code: stops ? 'Stopped' : 'Running' } }
          onOrder({ pool: pool.name, says: `${stops ? 'Stopping' : 'Starting'} ${pool.name}`, method: 'PUT', change })
          onClose()
        },
      }}
    >
      <div>{stops ? 'Its machines go, and their pods with them; its settings stay.' : 'Its machines come back.'}</div>
      <Command text={`az aks nodepool ${verb.toLowerCase()} ${flagsOf(cluster, pool.name)}`} />
    </DialogFrame>
  )
}

export function DeletePoolDialog({ cluster, pool, onClose, onOrder }: PoolDialogProps) {
  const [typed, setTyped] = useState('')
  return (
    <DialogFrame
      title={`Delete ${pool.name}?`}
      isQuestion
      onClose={onClose}
      action={{
        title: 'Delete',
        disabled: typed !== pool.name,
        run: () => {
          onOrder({ pool: pool.name, says: `Deleting ${pool.name}`, method: 'DELETE' })
          onClose()
        },
      }}
    >
      <div>Its nodes go without being drained, and what runs on them with them.</div>
      <Field label={`Type ${pool.name} to confirm`}>
        <Input autoFocus value={typed} onChange={(_, { value }) => setTyped(value)} />
      </Field>
      <Command text={`az aks nodepool delete ${flagsOf(cluster, pool.name)}`} />
    </DialogFrame>
  )
}
