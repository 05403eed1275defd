// `mounttest`: reads and writes files of a volume and prints what it finds, in the words that tests look for.

import { execFileSync } from 'node:child_process'
import { readFileSync, statSync, writeFileSync, chmodSync } from 'node:fs'
import type { Flags } from './flags.ts'

const content = 'mount-tester new file\n'

export async function mountTest(flags: Flags): Promise<void> {
  const failures: string[] = []
  const attempt = (work: () => void): void => {
    try {
      work()
    } catch (error) {
      failures.push((error as Error).message)
      process.stdout.write(`${(error as Error).message}\n`)
    }
  }
  process.umask(0)
  const each = (name: string, work: (path: string) => void): void => {
    for (const path of flags.all(name)) attempt(() => work(path))
  }
  each('fs_type', (path) => print(`mount type of "${path}": ${fileSystemOf(path)}`))
  for (const mode of ['0644', '0666', '0660', '0777']) {
    each(`new_file_${mode}`, (path) => {
      writeFileSync(path, content, { mode: Number.parseInt(mode, 8) })
      chmodSync(path, Number.parseInt(mode, 8))
    })
  }
  each('file_mode', (path) => print(`mode of file "${path}": ${modeOf(path, true)}`))
  each('file_perm', (path) => print(`perms of file "${path}": ${modeOf(path, false)}`))
  each('file_content', (path) => print(`content of file "${path}": ${readFileSync(path, 'utf8')}`))
  each('file_owner', (path) =>
    print(`owner UID of "${path}": ${statSync(path).uid}\nowner GID of "${path}": ${statSync(path).gid}`),
  )
  for (const path of flags.all('file_content_in_loop')) await readInLoop(path, flags)
  if (failures.length > 0) process.exit(1)
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

/** Until it holds something, and then again and again: tests watch it change. */
async function readInLoop(path: string, flags: Flags): Promise<void> {
  const untilMs = performance.now() + flags.number('retry_time', 180) * 1000
  while (performance.now() < untilMs) {
    try {
      print(`content of file "${path}": ${readFileSync(path, 'utf8')}`)
      if (flags.isOn('break_on_expected_content')) return
    } catch (error) {
      print(`error reading file content for "${path}": ${goError(path, error as NodeJS.ErrnoException)}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 1000))
  }
}

function goError(path: string, error: NodeJS.ErrnoException): string {
  return error.code === 'ENOENT' ? `open ${path}: no such file or directory` : error.message
}

/** tmpfs or the number of another file system's magic, as the tests compare. */
function fileSystemOf(path: string): string {
  return execFileSync('stat', ['-f', '-c', '%T', path], { encoding: 'utf8' }).trim()
}

/** As Go prints a file mode: `-rw-r--r--`, `dtrwxrwxrwx`. */
function modeOf(path: string, whole: boolean): string {
  const info = statSync(path)
  const letters = [
    info.isDirectory() ? 'd' : '',
    (info.mode & 0o4000) === 0 ? '' : 'u',
    (info.mode & 0o2000) === 0 ? '' : 'g',
    (info.mode & 0o1000) === 0 ? '' : 't',
  ].join('')
  const bits = 'rwxrwxrwx'.replaceAll(/./g, (letter, at: number) => ((info.mode >> (8 - at)) & 1 ? letter : '-'))
  return (whole ? letters || '-' : '-') + bits
}
