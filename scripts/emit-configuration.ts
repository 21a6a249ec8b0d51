/** Writes docs/configuration.md from the table of variables; CI fails when the committed page differs. */
import { writeFileSync } from 'node:fs';
import { type VariableName, variableNames, variables } from '../src/config/variables.js';

const intro = `# Configuration

This page is made from \`src/config/variables.ts\` by \`npm run docs:configuration\`; do not edit it by hand.

Vestibule is configured by environment variables and starts without any. A variable that is empty counts as absent. All
problems are reported together at start, and the gateway does not start with one. Variables marked secret are never logged.
`;

function row(name: VariableName): string {
  const { default: value, shownDefault, unit, secret, meaning } = variables[name];
  const shown = shownDefault ?? `\`${value}\``;
  const sentence = secret ? `${meaning} **Secret.**` : meaning;
  return `| \`${name}\` | ${shown.replaceAll('<', '&lt;')} | ${unit ?? ''} | ${sentence} |`;
}

const page = [intro, '| Variable | Default | Unit | Meaning |', '|---|---|---|---|', ...variableNames.map(row), ''];
writeFileSync('docs/configuration.md', page.join('\n'));
