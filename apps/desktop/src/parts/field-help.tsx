// What the field under the cursor is for, and which fields may stand there: the words of the server's own schema.

import type { KindSchema } from '../data/schemas.ts'
import { resolve, schemaAt } from '../model/schema.ts'

export function FieldHelp({
  schema,
  path,
}: {
  readonly schema: KindSchema
  readonly path: readonly (string | number)[]
}) {
  const here = schemaAt(schema.document, schema.root, path)
  const shown = here === undefined ? schema.root : here
  const fields = Object.entries(
    resolve(schema.document, shown.type === 'array' ? shown.items : shown)?.properties ?? {},
  )
  return (
    <aside
      className="hide-narrow"
      aria-label="Schema"
      tabIndex={0}
      style={{
        width: 300,
        borderLeft: '1px solid var(--colorNeutralStroke2)',
        overflow: 'auto',
        padding: '12px 16px',
        fontSize: 12,
        lineHeight: '18px',
      }}
    >
      <div className="mono" style={{ fontWeight: 600, overflowWrap: 'anywhere' }}>
        {path.filter((step) => typeof step === 'string').join('.') || 'object'}
      </div>
      <div className="dim">
        {shown.type ?? 'any'}
        {shown.format === undefined ? '' : `, ${shown.format}`}
      </div>
      <p style={{ margin: '8px 0' }}>
        {shown.description ?? (here === undefined ? 'No such field.' : 'No description.')}
      </p>
      {shown.enum !== undefined && <p className="mono">{shown.enum.join(' | ')}</p>}
      {fields.length > 0 && (
        <dl style={{ margin: 0 }}>
          {fields.map(([name, field]) => (
            <div key={name} style={{ marginTop: 6 }}>
              <dt className="mono">
                {name}
                {shown.required?.includes(name) === true && <span className="tone-bad"> *</span>}
              </dt>
              <dd className="dim" style={{ margin: 0 }}>
                {firstSentence(resolve(schema.document, field)?.description ?? field.description)}
              </dd>
            </div>
          ))}
        </dl>
      )}
    </aside>
  )
}

function firstSentence(text: string | undefined): string {
  return text === undefined ? '' : (/^.*?[.](?=\s|$)/s.exec(text)?.[0] ?? text)
}
