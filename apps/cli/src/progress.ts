// Tells what is going on while it takes: on a terminal one line that changes, else a line per step. Always on stderr.

export interface Progress extends Disposable {
  /** A new step begins. */
  step(text: string): void
  /** The last step is over. */
  done(): void
}

export function terminalProgress(output: NodeJS.WriteStream): Progress {
  const startedMs = performance.now()
  let current = ''
  const seconds = (): string => `${((performance.now() - startedMs) / 1000).toFixed(1)}s`
  const draw = (): void => {
    output.write(`\r\u001b[2K${current} … ${seconds()}`)
  }
  const timer = output.isTTY ? setInterval(draw, 200) : undefined
  timer?.unref()
  const finish = (): void => {
    if (current !== '' && output.isTTY) output.write(`\r\u001b[2K✓ ${current} (${seconds()})\n`)
    current = ''
  }
  return {
    step(text) {
      if (text === current) return
      finish()
      current = text
      if (output.isTTY) draw()
      else output.write(`${text} (${seconds()})\n`)
    },
    done: finish,
    [Symbol.dispose]() {
      clearInterval(timer)
      if (current !== '' && output.isTTY) output.write('\n')
    },
  }
}
