// The words of the agent's conversation, with a model and tools that are written down.

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { Turn } from './model.ts'
import { AgentShell } from './shell.ts'

interface Made {
  readonly shell: AgentShell
  readonly printed: () => string
  readonly asked: (readonly Turn[])[]
}

function made(more: { readonly shell?: () => Promise<void> } = {}): Made {
  let out = ''
  const asked: (readonly Turn[])[] = []
  const shell = new AgentShell(
    {
      print: (text) => void (out += text),
      ask: (question, before) => {
        asked.push(before)
        if (question === 'fail') return Promise.reject(new Error('The model does not answer: no route'))
        const call = { id: '1', name: 'call_kubectl', args: { command: question } }
        const turns: readonly Turn[] = [
          ...before,
          { role: 'user', text: question },
          { role: 'assistant', text: '', calls: [call] },
          { role: 'tool', call, text: `output of ${question}`, isError: false },
        ]
        return Promise.resolve({ text: `answer to ${question}`, turns })
      },
      offers: [{ name: 'call_kubectl', description: 'Runs kubectl. And more.', parameters: {} }],
      run: (command) => Promise.resolve(`ran ${command}`),
      shell: more.shell,
      keepFeedback: () => Promise.resolve('/data/agent/feedback.jsonl'),
    },
    { showOutput: false },
  )
  const printed = (): string => {
    const said = out
    out = ''
    return said
  }
  return { shell, printed, asked }
}

void suite('AgentShell', () => {
  void test('goes on with what was said before, until it is cleared', async () => {
    const { shell, asked, printed } = made()
    assert.equal(await shell.line('one'), true)
    await shell.line('two')
    assert.deepEqual(
      asked.map((before) => before.length),
      [0, 3],
    )
    assert.match(printed(), /answer to one[\s\S]*answer to two/)
    await shell.line('/context')
    assert.match(printed(), /^6 turns, 2 tool calls, about \d+ tokens/)
    await shell.line('/clear')
    await shell.line('three')
    assert.equal(asked[2]!.length, 0)
    assert.equal(await shell.line('/exit'), false)
  })

  void test('shows what tools answered: the last ones, one by its number, or always', async () => {
    const { shell, printed } = made()
    await shell.line('/last')
    assert.match(printed(), /No tool was called/)
    await shell.line('one')
    await shell.line('two')
    printed()
    await shell.line('/last')
    const last = printed()
    assert.match(last, /^\[2\] call_kubectl \{"command":"two"\}\noutput of two/)
    assert.doesNotMatch(last, /output of one/)
    await shell.line('/show 1')
    assert.match(printed(), /^\[1\] .*\noutput of one/)
    await shell.line('/show 9')
    assert.match(printed(), /no tool call "9": there were 2/)
    await shell.line('/auto')
    await shell.line('three')
    assert.match(printed(), /output of three[\s\S]*answer to three/)
  })

  void test('what a person runs is told to the model', async () => {
    const { shell, asked, printed } = made()
    await shell.line('/run kubectl get pods')
    assert.equal(printed(), 'ran kubectl get pods\n')
    await shell.line('so?')
    assert.match(asked[0]![0]!.text, /I ran "kubectl get pods" myself[\s\S]*ran kubectl get pods/)
    await shell.line('/run')
    assert.match(printed(), /Run what/)
  })

  void test('says its words, its tools, and what it does not know', async () => {
    const { shell, printed } = made()
    await shell.line('/help')
    const help = printed()
    for (const word of [
      'exit',
      'help',
      'clear',
      'tools',
      'auto',
      'last',
      'show',
      'run',
      'shell',
      'context',
      'feedback',
    ])
      assert.match(help, new RegExp(`^  /${word}\\b`, 'm'))
    await shell.line('/tools')
    assert.equal(printed(), '  call_kubectl            Runs kubectl.\n')
    await shell.line('/nope')
    assert.match(printed(), /"\/nope" is none of/)
    await shell.line('/shell')
    assert.match(printed(), /needs a terminal/)
    await shell.line('/feedback too slow')
    assert.match(printed(), /Kept in .*feedback\.jsonl\. Nothing was sent/)
    assert.equal(await shell.line('fail'), true)
    assert.match(printed(), /The model does not answer/)
    let opened = 0
    const other = made({ shell: () => Promise.resolve(void opened++) })
    await other.shell.line('/shell')
    assert.equal(opened, 1)
  })
})
