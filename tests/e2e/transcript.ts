// Transcripts: commands, each with exactly what it prints. Times, ages and names with chance in them are masked.
// `UPDATE=1` writes down what is printed now.

import { readFile, writeFile } from 'node:fs/promises'

export interface Step {
  /** A line for the shell. */
  readonly command: string
  readonly output: string
}

/** The steps of a transcript file: a prompt, then the output up to the next prompt. */
export async function readTranscript(path: string): Promise<readonly Step[]> {
  const steps = (await readFile(path, 'utf8')).split(/^\$ /m).slice(1)
  return steps.map((step) => {
    const end = step.indexOf('\n')
    return { command: step.slice(0, end), output: step.slice(end + 1).trimEnd() }
  })
}

export async function writeTranscript(path: string, steps: readonly Step[]): Promise<void> {
  const text = steps.map(({ command, output }) => `$ ${command}\n${output === '' ? '' : `${output}\n`}`)
  await writeFile(path, text.join(''))
}

const masks: readonly (readonly [RegExp, string])[] = [
  [/\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+0000/g, 'TIME'],
  [/\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}/g, 'TIME'],
  // Progress: which steps are seen depends on how long they take.
  [/^.+ \(\d+\.\ds\)\n/gm, ''],
  [/\bin \d+\.\d\d s\./g, 'in SECONDS.'],
  [/\b\d+ objects at resource version \d+, \d+ bytes/g, 'N objects at resource version N, N bytes'],
  [/revision \d+, \d+ keys(?:, \d+ files of)?,? \d+ bytes/g, 'revision N, N keys, N bytes'],
  [/damaged at byte \d+ of \d+/g, 'damaged at byte N of N'],
  [/\bprocess \d+/g, 'process N'],
  [/X509SHA256=[0-9a-f]{64}/g, 'X509SHA256=<sha256>'],
  // A server's name in elections.
  [/\b[\w-]+_[0-9a-f]{8}\b/g, 'SERVER'],
  [/\/\S*\/(?=[\w.]+\.archive\b|\.kube\/)/g, ''],
  [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, 'TIME'],
  [/aks-([a-z0-9]+)-\d{8}-/g, 'aks-$1-00000000-'],
  // Pods that fit as well on one node as on the other.
  [/\b10\.244\.\d+\.\d+\b/g, '10.244.x.x'],
  // The last five letters of a pod's name, behind the hash of its template.
  [/(-[a-z0-9]{8,10}-)[bcdfghjklmnpqrstvwxz2456789]{5}\b/g, '$1xxxxx'],
]

/** A short age fits under its title: its column keeps its width, whatever the age. */
export function masked(text: string): string {
  const plain = masks.reduce((sofar, [pattern, mask]) => sofar.replaceAll(pattern, mask), text)
  return plain
    .replaceAll(/(?<=\s)\d{1,2}s( *)(?=$|\s)/gm, (found) => 'AGE'.padEnd(found.length))
    .replaceAll(/ +$/gm, '')
    .trimEnd()
}
