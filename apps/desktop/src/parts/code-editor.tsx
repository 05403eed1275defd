// The editor for YAML: colours, folding, search, and marks where something is written wrong.

import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands'
import { yaml } from '@codemirror/lang-yaml'
import { bracketMatching, foldGutter, HighlightStyle, indentOnInput, syntaxHighlighting } from '@codemirror/language'
import { search, searchKeymap } from '@codemirror/search'
import { EditorState, StateEffect, StateField } from '@codemirror/state'
import {
  Decoration,
  drawSelection,
  EditorView,
  highlightActiveLine,
  keymap,
  lineNumbers,
  type DecorationSet,
} from '@codemirror/view'
import { tags } from '@lezer/highlight'
import { useEffect, useRef } from 'react'

export interface Mark {
  readonly from: number
  readonly to: number
  readonly message: string
}

export interface CodeEditorProps {
  readonly value: string
  readonly readOnly: boolean
  readonly label: string
  readonly marks: readonly Mark[]
  readonly onChange: (text: string) => void
  readonly onCursor?: (offset: number) => void
}

const setMarks = StateEffect.define<readonly Mark[]>()
const markField = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(before, transaction) {
    let decorations = before.map(transaction.changes)
    for (const effect of transaction.effects) {
      if (!effect.is(setMarks)) continue
      const length = transaction.state.doc.length
      decorations = Decoration.set(
        effect.value
          .filter(({ from, to }) => from < to && to <= length)
          .map(({ from, to, message }) =>
            Decoration.mark({ class: 'cm-complaint', attributes: { title: message } }).range(from, to),
          ),
        true,
      )
    }
    return decorations
  },
  provide: (field) => EditorView.decorations.from(field),
})

const colours = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: 'var(--colorBrandForegroundLink)' },
  { tag: [tags.string, tags.content], color: 'var(--colorNeutralForeground1)' },
  { tag: [tags.number, tags.bool, tags.null], color: 'var(--colorPalettePurpleForeground2)' },
  { tag: [tags.comment], color: 'var(--colorNeutralForeground3)', fontStyle: 'italic' },
  { tag: [tags.keyword, tags.meta], color: 'var(--colorPaletteBerryForeground1)' },
])

const look = EditorView.theme({
  '&': { backgroundColor: 'transparent', color: 'var(--colorNeutralForeground1)' },
  '&.cm-focused': { outline: 'none' },
  '.cm-gutters': { backgroundColor: 'transparent', color: 'var(--colorNeutralForeground3)', border: 'none' },
  '.cm-activeLine': { backgroundColor: 'var(--colorNeutralBackground1Hover)' },
  '.cm-activeLineGutter': { backgroundColor: 'transparent' },
  '.cm-cursor': { borderLeftColor: 'var(--colorNeutralForeground1)' },
  '.cm-selectionBackground, &.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground': {
    backgroundColor: 'var(--colorBrandBackground2)',
  },
  '.cm-complaint': { textDecoration: 'underline wavy var(--colorPaletteRedForeground3)', textUnderlineOffset: '3px' },
  '.cm-panels': { backgroundColor: 'var(--colorNeutralBackground3)', color: 'inherit' },
})

export function CodeEditor({ value, readOnly, label, marks, onChange, onCursor }: CodeEditorProps) {
  const box = useRef<HTMLDivElement>(null)
  const view = useRef<EditorView>(undefined)
  const tell = useRef({ onChange, onCursor })
  tell.current = { onChange, onCursor }
  useEffect(() => {
    const editor = new EditorView({
      parent: box.current!,
      state: EditorState.create({
        doc: value,
        extensions: [
          EditorView.cspNonce.of(document.querySelector<HTMLMetaElement>('meta[property="csp-nonce"]')?.nonce ?? ''),
          EditorView.contentAttributes.of({ 'aria-label': label, tabindex: '0' }),
          lineNumbers(),
          foldGutter(),
          history(),
          drawSelection(),
          indentOnInput(),
          bracketMatching(),
          highlightActiveLine(),
          search({ top: true }),
          yaml(),
          syntaxHighlighting(colours),
          look,
          markField,
          EditorState.readOnly.of(readOnly),
          keymap.of([...defaultKeymap, ...historyKeymap, ...searchKeymap, indentWithTab]),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) tell.current.onChange(update.state.doc.toString())
            if (update.selectionSet || update.docChanged) tell.current.onCursor?.(update.state.selection.main.head)
          }),
        ],
      }),
    })
    view.current = editor
    return () => editor.destroy()
  }, [readOnly, label])
  useEffect(() => {
    const editor = view.current
    if (editor === undefined || editor.state.doc.toString() === value) return
    editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: value } })
  }, [value])
  useEffect(() => view.current?.dispatch({ effects: setMarks.of(marks) }), [marks])
  return <div className="editor" ref={box} />
}
