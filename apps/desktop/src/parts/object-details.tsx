// The details of any object: facts, conditions explained, what belongs to it, what diagnosis says of it.

import { Button } from '@fluentui/react-components'
import { ShieldCheckmarkRegular } from '@fluentui/react-icons'
import { useState, type ReactNode } from 'react'
import { callJson, clusterCall } from '../data/api.ts'
import { useCluster } from '../data/cluster.tsx'
import { useNow } from '../data/now.ts'
import { useAsync } from '../data/use-async.ts'
import type { KubeObject } from '../data/use-object.ts'
import { explain } from '../model/conditions.ts'
import { factsOf } from '../model/facts.ts'
import { ageText } from '../model/kube-table.ts'
import { conditionsOf } from '../model/object-state.ts'
import { selectorOf } from '../model/pod-selector.ts'
import type { ApiResource } from '../model/resources.ts'
import { Containers } from './containers.tsx'
import { FindingRows, SubjectLink, type DiagnosisAnswer } from './findings.tsx'
import { PodsOf } from './pods-of.tsx'
import { ObjectForwards } from './port-forwards.tsx'

export function ObjectDetails({ resource, object }: { readonly resource: ApiResource; readonly object: KubeObject }) {
  const conditions = conditionsOf(object.status ?? {})
  const selector = selectorOf(object)
  const { namespace = '' } = object.metadata
  return (
    <div className="scroll" style={{ paddingTop: 16 }}>
      <div className="stack">
        <ObjectDiagnosis object={object} />
        <div className="grid two">
          <Facts resource={resource} object={object} />
          {conditions.length > 0 && <Conditions object={object} />}
        </div>
        {object.kind === 'Pod' && <Containers object={object} />}
        {(object.kind === 'ConfigMap' || object.kind === 'Secret') && <Data object={object} />}
        {object.kind === 'Node' && (
          <PodsOf title="Pods on this node" fieldSelector={`spec.nodeName=${object.metadata.name}`} />
        )}
        {selector !== undefined && <PodsOf title="Pods" namespace={namespace} labelSelector={selector} />}
        <ObjectForwards object={object} />
      </div>
    </div>
  )
}

function Card({
  title,
  children,
  aside,
}: {
  readonly title: string
  readonly children: ReactNode
  readonly aside?: ReactNode
}) {
  return (
    <section className="card" aria-label={title}>
      <header>
        <h2>{title}</h2>
        <span className="grow" />
        {aside}
      </header>
      <div className="body">{children}</div>
    </section>
  )
}

function Facts({ resource, object }: { readonly resource: ApiResource; readonly object: KubeObject }) {
  const nowMs = useNow()
  const cluster = useCluster()
  const { metadata } = object
  const created = Date.parse(metadata.creationTimestamp ?? '')
  return (
    <Card title={object.kind ?? resource.kind}>
      <dl className="facts">
        {factsOf(object).map(([name, value]) => (
          <Fact key={name} name={name}>
            {name === 'Node' && value !== '–' ? (
              <SubjectLink bare subject={{ kind: 'Node', name: value }} />
            ) : name === 'Service account' && metadata.namespace !== undefined ? (
              <SubjectLink bare subject={{ kind: 'ServiceAccount', namespace: metadata.namespace, name: value }} />
            ) : (
              value
            )}
          </Fact>
        ))}
        {(metadata.ownerReferences ?? []).map((owner) => (
          <Fact key={owner.name} name={owner.controller === true ? 'Controlled by' : 'Owned by'}>
            <SubjectLink
              subject={{
                kind: owner.kind,
                name: owner.name,
                ...(metadata.namespace === undefined ||
                cluster.byKind(owner.kind, owner.apiVersion)?.namespaced === false
                  ? {}
                  : { namespace: metadata.namespace }),
              }}
            />
          </Fact>
        ))}
        <Fact name="Created">
          {ageText(nowMs - created)} ago <span className="dim">{metadata.creationTimestamp}</span>
        </Fact>
        {(metadata.finalizers ?? []).length > 0 && <Fact name="Finalizers">{metadata.finalizers!.join(', ')}</Fact>}
        <Fact name="Labels">
          <Chips of={metadata.labels} />
        </Fact>
        <Fact name="Annotations">
          <Chips of={metadata.annotations} />
        </Fact>
      </dl>
    </Card>
  )
}

function Fact({ name, children }: { readonly name: string; readonly children: ReactNode }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  )
}

function Chips({ of }: { readonly of: Readonly<Record<string, string>> | undefined }) {
  const pairs = Object.entries(of ?? {}).filter(([key]) => key !== 'kubectl.kubernetes.io/last-applied-configuration')
  if (pairs.length === 0) return <span className="dim">none</span>
  return (
    <div className="chips">
      {pairs.map(([key, value]) => (
        <span className="chip" key={key} title={`${key}=${value}`}>
          {key}
          {value === '' ? '' : `=${value}`}
        </span>
      ))}
    </div>
  )
}

function Conditions({ object }: { readonly object: KubeObject }) {
  const nowMs = useNow()
  const explained = conditionsOf(object.status ?? {}).map((each) => explain(object.kind, each))
  return (
    <Card title="Conditions">
      <table className="plain">
        <tbody>
          {explained.map((condition) => (
            <tr key={condition.type}>
              <td style={{ whiteSpace: 'nowrap', width: 1 }}>
                <span className={`dot ${condition.tone}`} />
                {condition.type}
              </td>
              <td>
                <div>
                  {condition.meaning ||
                    `${condition.status}${condition.reason === undefined ? '' : `: ${condition.reason}`}`}
                </div>
                {condition.tone !== 'good' && (
                  <div className="dim" style={{ fontSize: 12, overflowWrap: 'anywhere' }}>
                    {[condition.meaning === '' ? undefined : condition.reason, condition.message]
                      .filter(Boolean)
                      .join(': ')}
                  </div>
                )}
              </td>
              <td className="dim right" style={{ whiteSpace: 'nowrap', paddingRight: 0 }}>
                {condition.lastTransitionTime === undefined
                  ? ''
                  : ageText(nowMs - Date.parse(condition.lastTransitionTime))}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Card>
  )
}

/** Asked when one looks, not all the time: it reads the whole namespace. */
function ObjectDiagnosis({ object }: { readonly object: KubeObject }) {
  const cluster = useCluster()
  const { kind, metadata } = object
  const about = {
    kind,
    name: metadata.name,
    ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
  }
  const answer = useAsync(`${cluster.key} ${metadata.uid}`, (signal) =>
    callJson<DiagnosisAnswer>(clusterCall(cluster.key, '/diagnosis'), {
      method: 'POST',
      body: { about, namespace: metadata.namespace },
      signal,
    }),
  )
  const findings = answer.value?.findings
  return (
    <section className="card" aria-label="Diagnosis">
      <header style={{ paddingBottom: findings === undefined || findings.length === 0 ? 12 : 8 }}>
        <h2>Diagnosis</h2>
        <span className="dim row" style={{ fontSize: 13 }}>
          {findings === undefined ? (
            answer.error === undefined ? (
              'Looking'
            ) : (
              (answer.error as Error).message
            )
          ) : findings.length === 0 ? (
            <>
              <ShieldCheckmarkRegular fontSize={16} /> Nothing is wrong with it
            </>
          ) : (
            ''
          )}
        </span>
        <span className="grow" />
        <Button appearance="subtle" size="small" onClick={answer.again}>
          Look again
        </Button>
      </header>
      {findings !== undefined && findings.length > 0 && <FindingRows findings={findings} />}
    </section>
  )
}

function Data({ object }: { readonly object: KubeObject }) {
  const isSecret = object.kind === 'Secret'
  const entries = Object.entries({
    ...(object['data'] as Readonly<Record<string, string>> | undefined),
    ...(object['binaryData'] as Readonly<Record<string, string>> | undefined),
  })
  return (
    <Card title="Data">
      {entries.length === 0 && <span className="dim">empty</span>}
      <div className="stack" style={{ gap: 12 }}>
        {entries.map(([key, value]) => (
          <DataEntry key={key} name={key} value={value} secret={isSecret} />
        ))}
      </div>
    </Card>
  )
}

/** Secrets are shown one by one, when asked for. */
function DataEntry({
  name,
  value,
  secret,
}: {
  readonly name: string
  readonly value: string
  readonly secret: boolean
}) {
  const [open, setOpen] = useState(!secret)
  const text = secret ? decode(value) : value
  return (
    <div>
      <div className="row" style={{ marginBottom: 4 }}>
        <b className="mono">{name}</b>
        <span className="dim" style={{ fontSize: 12 }}>
          {text.length} characters
        </span>
        {secret && (
          <Button appearance="subtle" size="small" onClick={() => setOpen(!open)}>
            {open ? 'Hide' : 'Show'}
          </Button>
        )}
      </div>
      {open && (
        <pre className="code" tabIndex={0}>
          {text}
        </pre>
      )}
    </div>
  )
}

function decode(value: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Uint8Array.from(atob(value), (each) => each.charCodeAt(0)))
  } catch {
    return value
  }
}
