// A new cluster: a form on one side, what it means for `az` and for Resource Manager on the other.

import {
  Button,
  Field,
  Input,
  MessageBar,
  MessageBarBody,
  ProgressBar,
  Select,
  SpinButton,
  Switch,
  Tab,
  TabList,
} from '@fluentui/react-components'
import { useState, type ReactNode } from 'react'
import { armPath, order } from '../data/arm.ts'
import { call, callJson } from '../data/api.ts'
import { go } from '../data/navigate.ts'
import type { Session } from '../data/session.ts'
import { useAsync } from '../data/use-async.ts'
import { armBody, azCommand, faults, firstPlan, type ClusterPlan } from '../model/cluster-plan.ts'
import { Command } from '../parts/findings.tsx'
import { Link } from '../parts/link.tsx'
import { Empty } from '../parts/states.tsx'

const sizes = [
  'Standard_B2s',
  'Standard_D2s_v5',
  'Standard_D4s_v5',
  'Standard_D8s_v5',
  'Standard_D16s_v5',
  'Standard_E4s_v5',
  'Standard_E8s_v5',
  'Standard_F4s_v2',
  'Standard_F8s_v2',
]

export function CreatePage({ session }: { readonly session: Session }) {
  const { arm } = session
  if (arm === undefined)
    return <Empty title="Sign in to the server first">Clusters are made by the server, not by another cluster.</Empty>
  return <Wizard subscription={arm.subscriptionId} />
}

function Wizard({ subscription }: { readonly subscription: string }) {
  const [plan, setPlan] = useState<ClusterPlan>(firstPlan)
  const [touched, setTouched] = useState(false)
  const [step, setStep] = useState('')
  const [error, setError] = useState('')
  const versions = useAsync('versions', async (signal) => {
    const { values } = await callJson<{
      readonly values: readonly {
        readonly version: string
        readonly isDefault?: boolean
        readonly patchVersions?: Readonly<Record<string, unknown>>
      }[]
    }>(
      armPath(
        `/subscriptions/${subscription}/providers/Microsoft.ContainerService/locations/${firstPlan.location}/kubernetesVersions`,
      ),
      { signal },
    )
    return values.flatMap(({ patchVersions = {}, isDefault }) =>
      Object.keys(patchVersions).map((version) => ({ version, isDefault: isDefault === true })),
    )
  })
  const groups = useAsync(
    'groups',
    async (signal) =>
      (
        await callJson<{ readonly value: readonly { readonly name: string; readonly location: string }[] }>(
          armPath(`/subscriptions/${subscription}/resourcegroups`, '2021-04-01'),
          { signal },
        )
      ).value,
  )
  const wrong = faults(plan)
  const set = (change: Partial<ClusterPlan>): void => setPlan({ ...plan, ...change })
  const create = async (): Promise<void> => {
    setTouched(true)
    if (Object.keys(wrong).length > 0) return
    setError('')
    setStep('Asking')
    try {
      const group = `/subscriptions/${subscription}/resourceGroups/${plan.resourceGroup}`
      if (groups.value?.some(({ name }) => name.toLowerCase() === plan.resourceGroup.toLowerCase()) !== true)
        await call(armPath(group, '2021-04-01'), { method: 'PUT', body: { location: plan.location } })
      await order(
        `${group}/providers/Microsoft.ContainerService/managedClusters/${plan.name}`,
        { method: 'PUT', body: armBody(plan) },
        (now) => setStep(now === 'InProgress' || now === '' ? 'Creating' : now),
      )
      go({ page: 'overview', cluster: `arm.${plan.resourceGroup}.${plan.name}`.toLowerCase() })
    } catch (failure) {
      setError((failure as Error).message)
      setStep('')
    }
  }
  const hint = (name: keyof ClusterPlan) =>
    touched && wrong[name] !== undefined ? ({ validationState: 'error', validationMessage: wrong[name] } as const) : {}
  return (
    <>
      <div className="head">
        <div className="titleblock">
          <div className="crumb">
            <Link to={{ page: 'clusters' }}>Clusters</Link>
          </div>
          <h1>Create cluster</h1>
        </div>
      </div>
      <div className="scroll">
        <div className="wizard">
          <form
            className="form"
            onSubmit={(event) => {
              event.preventDefault()
              void create()
            }}
          >
            <Part title="Basics">
              <div className="pair">
                <Field label="Name" required {...hint('name')}>
                  <Input value={plan.name} onChange={(_, { value }) => set({ name: value })} />
                </Field>
                <Field label="Resource group" required {...hint('resourceGroup')}>
                  <Input
                    list="groups"
                    value={plan.resourceGroup}
                    onChange={(_, { value }) => set({ resourceGroup: value })}
                  />
                  <datalist id="groups">
                    {groups.value?.map(({ name }) => (
                      <option key={name} value={name} />
                    ))}
                  </datalist>
                </Field>
                <Field label="Kubernetes version">
                  <Select value={plan.kubernetesVersion} onChange={(_, { value }) => set({ kubernetesVersion: value })}>
                    <option value="">Default</option>
                    {versions.value?.map(({ version }) => (
                      <option key={version} value={version}>
                        {version}
                      </option>
                    ))}
                  </Select>
                </Field>
                <Field label="Tier">
                  <Select value={plan.tier} onChange={(_, { value }) => set({ tier: value as ClusterPlan['tier'] })}>
                    <option>Free</option>
                    <option>Standard</option>
                    <option>Premium</option>
                  </Select>
                </Field>
              </div>
            </Part>
            <Part title="First node pool">
              <div className="pair">
                <Field label="Pool name" required {...hint('poolName')}>
                  <Input value={plan.poolName} onChange={(_, { value }) => set({ poolName: value })} />
                </Field>
                <Field label="Nodes" required {...hint('nodeCount')}>
                  <SpinButton
                    min={1}
                    max={1000}
                    value={plan.nodeCount}
                    onChange={(_, { value, displayValue }) => set({ nodeCount: value ?? (Number(displayValue) || 0) })}
                  />
                </Field>
                <Field label="Size">
                  <Select value={plan.vmSize} onChange={(_, { value }) => set({ vmSize: value })}>
                    {sizes.map((size) => (
                      <option key={size}>{size}</option>
                    ))}
                  </Select>
                </Field>
                <Field label="Zones">
                  <div className="row" role="group" aria-label="Zones" style={{ height: 32, gap: 16 }}>
                    {['1', '2', '3'].map((zone) => (
                      <label key={zone} className="row" style={{ gap: 4 }}>
                        <input
                          type="checkbox"
                          checked={plan.zones.includes(zone)}
                          onChange={() =>
                            set({
                              zones: plan.zones.includes(zone)
                                ? plan.zones.filter((each) => each !== zone)
                                : [...plan.zones, zone].toSorted(),
                            })
                          }
                        />
                        {zone}
                      </label>
                    ))}
                  </div>
                </Field>
              </div>
              <Switch
                label="Scale by itself"
                checked={plan.autoscale !== undefined}
                onChange={(_, { checked }) =>
                  set({ autoscale: checked ? { min: 1, max: Math.max(5, plan.nodeCount) } : undefined })
                }
              />
              {plan.autoscale !== undefined && (
                <div className="pair">
                  <Field label="Least" {...hint('autoscale')}>
                    <SpinButton
                      min={1}
                      value={plan.autoscale.min}
                      onChange={(_, { value }) => set({ autoscale: { ...plan.autoscale!, min: value ?? 1 } })}
                    />
                  </Field>
                  <Field label="Most">
                    <SpinButton
                      min={1}
                      value={plan.autoscale.max}
                      onChange={(_, { value }) => set({ autoscale: { ...plan.autoscale!, max: value ?? 1 } })}
                    />
                  </Field>
                </div>
              )}
              <Switch
                label="Simulated nodes: no container runs"
                checked={plan.simulated}
                onChange={(_, { checked }) => set({ simulated: checked })}
              />
            </Part>
            <Part title="Network and identity">
              <div className="pair">
                <Field label="Network policy">
                  <Select
                    value={plan.networkPolicy}
                    onChange={(_, { value }) => set({ networkPolicy: value as ClusterPlan['networkPolicy'] })}
                  >
                    <option value="none">None: policies are not enforced</option>
                    <option value="azure">Azure</option>
                    <option value="calico">Calico</option>
                    <option value="cilium">Cilium</option>
                  </Select>
                </Field>
                <Field label="Pod range" {...hint('podCidr')}>
                  <Input
                    placeholder="10.244.0.0/16"
                    value={plan.podCidr}
                    onChange={(_, { value }) => set({ podCidr: value })}
                  />
                </Field>
              </div>
              <Switch
                label="Live flows (Advanced Container Networking Services)"
                checked={plan.flows}
                onChange={(_, { checked }) => set({ flows: checked })}
              />
              <Switch
                label="OIDC issuer"
                checked={plan.oidcIssuer}
                onChange={(_, { checked }) => set({ oidcIssuer: checked })}
              />
            </Part>
            {error !== '' && (
              <MessageBar intent="error" layout="multiline">
                <MessageBarBody>{error}</MessageBarBody>
              </MessageBar>
            )}
            {step !== '' && (
              <div role="status">
                <ProgressBar aria-label={step} />
                <div className="dim" style={{ fontSize: 12, marginTop: 4 }}>
                  {step}
                </div>
              </div>
            )}
            <div className="row">
              <Button appearance="primary" type="submit" disabled={step !== ''}>
                Create cluster
              </Button>
              <Button onClick={() => go({ page: 'clusters' })}>Cancel</Button>
            </div>
          </form>
          <Equivalent plan={plan} subscription={subscription} />
        </div>
      </div>
    </>
  )
}

function Part({ title, children }: { readonly title: string; readonly children: ReactNode }) {
  return (
    <section className="card" aria-label={title}>
      <header>
        <h2>{title}</h2>
      </header>
      <div className="body form">{children}</div>
    </section>
  )
}

function Equivalent({ plan, subscription }: { readonly plan: ClusterPlan; readonly subscription: string }) {
  const [tab, setTab] = useState('az')
  const body = JSON.stringify(armBody(plan), undefined, 2)
  return (
    <section className="card sticky" aria-label="The same without the desktop">
      <header>
        <h2>The same without the desktop</h2>
      </header>
      <div className="body">
        <TabList
          size="small"
          selectedValue={tab}
          onTabSelect={(_, { value }) => setTab(String(value))}
          style={{ margin: '0 -8px 8px' }}
        >
          <Tab value="az">az</Tab>
          <Tab value="arm">ARM</Tab>
        </TabList>
        {tab === 'az' ? (
          <Command text={azCommand(plan)} />
        ) : (
          <>
            <Command
              text={`PUT /subscriptions/${subscription}/resourceGroups/${plan.resourceGroup}/providers/Microsoft.ContainerService/managedClusters/${plan.name === '' ? 'NAME' : plan.name}?api-version=2026-05-01`}
            />
            <pre className="code" tabIndex={0} style={{ marginTop: 8, maxHeight: '56vh' }}>
              {body}
            </pre>
          </>
        )}
      </div>
    </section>
  )
}
