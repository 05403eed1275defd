// Everything that the detectors find in what one may see, and what they could not look at.

import { Button } from '@fluentui/react-components'
import { ArrowClockwiseRegular, ShieldCheckmarkRegular } from '@fluentui/react-icons'
import { callJson, clusterCall } from '../data/api.ts'
import { useCluster } from '../data/cluster.tsx'
import { useAsync } from '../data/use-async.ts'
import { FindingRows, type DiagnosisAnswer } from '../parts/findings.tsx'
import { Empty, Failure, Loading } from '../parts/states.tsx'

export function ProblemsPage() {
  const cluster = useCluster()
  const answer = useAsync(`${cluster.key} ${cluster.scope.join()}`, async (signal): Promise<DiagnosisAnswer> => {
    const ask = (namespace: string | undefined): Promise<DiagnosisAnswer> =>
      callJson(clusterCall(cluster.key, '/diagnosis'), { method: 'POST', body: { namespace }, signal })
    const answers = cluster.scope.length === 0 ? [await ask(undefined)] : await Promise.all(cluster.scope.map(ask))
    const seen = new Set<string>()
    const findings = answers
      .flatMap((each) => each.findings)
      .filter((each) => {
        const key = `${each.id} ${JSON.stringify(each.subject)}`
        return !seen.has(key) && seen.add(key) !== undefined
      })
    return { findings, unread: Object.assign({}, ...answers.map(({ unread }) => unread)) as DiagnosisAnswer['unread'] }
  })
  const { value } = answer
  const unread = Object.keys(value?.unread ?? {})
  return (
    <>
      <div className="head">
        <h1>Diagnosis</h1>
        <span className="sub">{value === undefined ? '' : value.findings.length}</span>
        <span className="grow" />
        <Button size="small" icon={<ArrowClockwiseRegular />} onClick={answer.again}>
          Look again
        </Button>
      </div>
      <div className="scroll">
        <section className="card" aria-label="Findings">
          <h2 className="gone">Findings</h2>
          {value === undefined ? (
            answer.error === undefined ? (
              <Loading label="Looking at everything" />
            ) : (
              <Failure error={answer.error} again={answer.again} />
            )
          ) : value.findings.length === 0 ? (
            <Empty title="Nothing is wrong" icon={<ShieldCheckmarkRegular fontSize={32} />}>
              No detector found a fault in what you may see.
            </Empty>
          ) : (
            <FindingRows findings={value.findings} />
          )}
        </section>
        {unread.length > 0 && (
          <p className="dim" style={{ fontSize: 12 }}>
            Not looked at, because you may not read them: {unread.join(', ')}.
          </p>
        )}
      </div>
    </>
  )
}
