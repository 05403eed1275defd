// Where the page begins.

import { createRoot } from 'react-dom/client'
import { App } from './app.tsx'
import { giveStylesTheNonce } from './style-nonce.ts'
import './styles.css'

giveStylesTheNonce()
createRoot(document.querySelector('#root')!).render(<App />)
