// What the detectors found: symptom, cause, evidence, and the next command to copy.

import { Button, Tooltip } from '@fluentui/react-components'
import { CopyRegular } from '@fluentui/react-icons'
import { useState } from 'react'
import { useCluster } from '../data/cluster.tsx'
import { resourceId } from '../model/resources.ts'
import { Link } from './link.tsx'

export interface FindingSubject {
  readonly kind: string
  readonly namespace?: string
  readonly name: string
}

export interface Finding {
  readonly id: string
  readonly subject: FindingSubject
  readonly alsoAffected: readonly FindingSubject[]
  readonly symptom: string
  readonly cause: string
  readonly evidence: readonly { readonly subject: FindingSubject; readonly line: string }[]
  readonly fix: string
  readonly commands: readonly string[]
  readonly confidence: 'certain' | 'likely' | 'possible'
}

export interface DiagnosisAnswer {
  readonly findings: readonly Finding[]
  readonly unread: Readonly<Record<string, string>>
}

const toneOfConfidence = { certain: 'bad', likely: 'warn', possible: 'quiet' } as const

export function FindingRows({ findings, brief }: { readonly findings: readonly Finding[]; readonly brief?: boolean }) {
  return (
    <div>
      {findings.map((finding, at) => (
        <article className="finding" key={`${finding.id} ${at}`}>
          <h3>
            <span className={`dot ${toneOfConfidence[finding.confidence]}`} />
            {finding.symptom}
          </h3>
          <p className="dim" style={{ fontSize: 12 }}>
            <SubjectLink subject={finding.subject} />
            {finding.alsoAffected.length > 0 && ` and ${finding.alsoAffected.length} more`} · {finding.confidence}
          </p>
          <p>{finding.cause}</p>
          {brief !== true && (
            <>
              {finding.evidence.map(({ subject, line }, index) => (
                <p key={index} className="mono dim" style={{ margin: '4px 0' }}>
                  {subject.kind.toLowerCase()}/{subject.name}: {line}
                </p>
              ))}
              <p>
                <b style={{ fontWeight: 600 }}>Fix</b> {finding.fix}
              </p>
              {finding.commands.map((command) => (
                <Command key={command} text={command} />
              ))}
            </>
          )}
        </article>
      ))}
    </div>
  )
}

/** `bare` where the words before it say the kind. */
export function SubjectLink({ subject, bare }: { readonly subject: FindingSubject; readonly bare?: boolean }) {
  const cluster = useCluster()
  const resource = cluster.byKind(subject.kind)
  const text =
    bare === true
      ? subject.name
      : `${subject.kind} ${subject.namespace === undefined ? '' : `${subject.namespace}/`}${subject.name}`
  if (resource === undefined) return <span>{text}</span>
  return (
    <Link
      to={{
        page: 'object',
        cluster: cluster.key,
        resource: resourceId(resource),
        namespace: subject.namespace ?? '',
        name: subject.name,
        tab: 'details',
      }}
    >
      {text}
    </Link>
  )
}

export function Command({ text }: { readonly text: string }) {
  const [copied, setCopied] = useState(false)
  const copy = (): void =>
    void navigator.clipboard.writeText(text).then(() => {
      setCopied(true)
      setTimeout(() => setCopied(false), 1500)
    })
  return (
    <div className="cmd">
      <code>{text}</code>
      <Tooltip content={copied ? 'Copied' : 'Copy'} relationship="label">
        <Button appearance="transparent" size="small" icon={<CopyRegular />} onClick={copy} />
      </Tooltip>
    </div>
  )
}
