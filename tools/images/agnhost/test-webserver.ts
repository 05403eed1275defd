// `test-webserver`: the files of the container over HTTP, on port 80.

import { readdir, readFile, stat } from 'node:fs/promises'
import { join, normalize } from 'node:path'
import type { Flags } from './flags.ts'
import { serve, type Reply, type Request } from './http.ts'

export function testWebServer(flags: Flags): void {
  serve(flags.number('port', 80), { '': file })
}

async function file({ url }: Request): Promise<Reply> {
  const path = join('/', normalize(decodeURIComponent(url.pathname)))
  try {
    if (!(await stat(path)).isDirectory()) return { body: await readFile(path) }
    const names = await readdir(path)
    return {
      headers: { 'content-type': 'text/html' },
      body: `<pre>\n${names.map((name) => `<a href="${name}">${name}</a>`).join('\n')}\n</pre>\n`,
    }
  } catch {
    return { status: 404, body: '404 page not found\n' }
  }
}
