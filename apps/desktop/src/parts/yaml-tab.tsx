// An object as YAML: read it, change it with the schema at hand, see what the server would make of it, then write it.

import { Button, MessageBar, MessageBarBody } from '@fluentui/react-components'
import { useEffect, useMemo, useState } from 'react'
import { callJson, CallError, clusterCall } from '../data/api.ts'
import { useCluster } from '../data/cluster.tsx'
import { kindSchema, type KindSchema } from '../data/schemas.ts'
import type { KubeObject } from '../data/use-object.ts'
import { diffLines, type DiffLine } from '../model/line-diff.ts'
import { comparable, offsetsOf, parseManifest, pathAt, toYaml } from '../model/manifest.ts'
import { apiPath, type ApiResource } from '../model/resources.ts'
import { complaints } from '../model/schema.ts'
import { DialogFrame } from './dialog-frame.tsx'
import { CodeEditor, type Mark } from './code-editor.tsx'
import { FieldHelp } from './field-help.tsx'

export function YamlTab({ resource, object }: { readonly resource: ApiResource; readonly object: KubeObject }) {
  const cluster = useCluster()
  const [base, setBase] = useState(object)
  const original = useMemo(() => toYaml(base), [base])
  const [text, setText] = useState(original)
  const [cursor, setCursor] = useState(0)
  const [schema, setSchema] = useState<KindSchema>()
  const [error, setError] = useState('')
  const [preview, setPreview] = useState<readonly DiffLine[]>()
  const { name, namespace } = object.metadata
  const may = cluster.may({ verb: 'update', group: resource.group, resource: resource.resource, name }, namespace)
  const edited = text !== original
  const newer = object.metadata.resourceVersion !== base.metadata.resourceVersion
  // Who has changed nothing sees what is there now.
  useEffect(() => {
    if (edited || !newer) return
    setBase(object)
    setText(toYaml(object))
  }, [object, edited, newer])
  useEffect(() => void kindSchema(cluster.key, resource).then(setSchema), [cluster.key, resource])
  const marks = useMemo(() => marksOf(text, schema), [text, schema])
  const path = apiPath(resource, { namespace: namespace ?? '', name })
  const write = (query: string): Promise<KubeObject> =>
    callJson<KubeObject>(`${clusterCall(cluster.key, path)}?fieldValidation=Strict${query}`, {
      method: 'PUT',
      body: parseManifest(text),
    })
  const review = async (): Promise<void> => {
    setError('')
    try {
      const result = await write('&dryRun=All')
      setPreview(diffLines(comparable(base), comparable(result)))
    } catch (failure) {
      setError(wordsOf(failure))
    }
  }
  const apply = async (): Promise<void> => {
    try {
      const written = await write('')
      setBase(written)
      setText(toYaml(written))
      setPreview(undefined)
    } catch (failure) {
      setPreview(undefined)
      setError(wordsOf(failure))
    }
  }
  return (
    <>
      <div className="tools" style={{ paddingTop: 12 }}>
        <span className="dim" style={{ fontSize: 12 }}>
          {!may
            ? 'You may read it, not change it.'
            : marks.length > 0
              ? `${marks.length} marked: ${marks[0]!.message}`
              : edited
                ? newer
                  ? 'Changed here, and meanwhile on the server as well.'
                  : 'Changed.'
                : 'As it is on the server.'}
        </span>
        <span className="grow" />
        {edited && (
          <Button
            size="small"
            onClick={() => {
              setBase(object)
              setText(toYaml(object))
              setError('')
            }}
          >
            Discard
          </Button>
        )}
        {may && (
          <Button size="small" appearance="primary" disabled={!edited} onClick={() => void review()}>
            Review changes
          </Button>
        )}
      </div>
      {error !== '' && (
        <div className="tools">
          <MessageBar intent="error" layout="multiline" style={{ width: '100%' }}>
            <MessageBarBody style={{ whiteSpace: 'pre-wrap' }}>{error}</MessageBarBody>
          </MessageBar>
        </div>
      )}
      <section className="card sheet" aria-label="YAML" style={{ flexDirection: 'row' }}>
        <div className="grow" style={{ display: 'flex' }}>
          <CodeEditor
            value={text}
            readOnly={!may}
            label={`YAML of ${name}`}
            marks={marks}
            onChange={setText}
            onCursor={setCursor}
          />
        </div>
        {schema !== undefined && <FieldHelp schema={schema} path={pathAt(text, cursor)} />}
      </section>
      {preview !== undefined && (
        <Review name={name} lines={preview} onApply={() => void apply()} onClose={() => setPreview(undefined)} />
      )}
    </>
  )
}

function Review({
  name,
  lines,
  onApply,
  onClose,
}: {
  readonly name: string
  readonly lines: readonly DiffLine[]
  readonly onApply: () => void
  readonly onClose: () => void
}) {
  return (
    <DialogFrame
      title={`What the server would make of ${name}`}
      widthPx={860}
      leave="Go on editing"
      onClose={onClose}
      action={{ title: 'Apply', disabled: lines.length === 0, run: onApply }}
    >
      {lines.length === 0 ? (
        <p>Nothing would change.</p>
      ) : (
        <div className="diff" tabIndex={0} aria-label="Changes">
          {lines.map(({ kind, text }, at) => (
            <div key={at} className={kind}>
              {kind === 'add' ? '+ ' : kind === 'cut' ? '- ' : '  '}
              {text}
            </div>
          ))}
        </div>
      )}
    </DialogFrame>
  )
}

function marksOf(text: string, schema: KindSchema | undefined): readonly Mark[] {
  let value: unknown
  try {
    value = parseManifest(text)
  } catch (error) {
    const [from = 0, to = 0] = (error as { readonly pos?: readonly [number, number] }).pos ?? []
    return [{ from, to: Math.max(to, from + 1), message: (error as Error).message.split('\n')[0]! }]
  }
  if (schema === undefined) return []
  return complaints(schema.document, schema.root, value)
    .slice(0, 50)
    .map(({ path, message }) => ({ ...offsetsOf(text, path), message: `${path.join('.')}: ${message}` }))
}

function wordsOf(error: unknown): string {
  if (!(error instanceof CallError)) return (error as Error).message
  const causes = error.causes.map(({ field, message }) => `${field ?? ''}: ${message}`)
  return [error.message, ...(causes.length > 1 ? causes : [])].join('\n')
}
