/** Writes docs/configuration.md from the table of variables; CI fails when the committed page differs. */
import { writeFileSync } from 'node:fs';
import { type VariableName, variableNames, variables } from '../src/config/variables.js';

const intro = `# Configuration

This page is made from \`src/config/variables.ts\` by \`npm run docs:configuration\`; do not edit it by hand.

Vestibule is configured by environment variables and starts without any. A variable that is empty counts as absent. All
problems are reported together at start, and the gateway does not start with one. Variables marked secret are never logged.
`;

function row(name: VariableName): string[] {
  const { default: value, shownDefault, unit, secret, meaning } = variables[name];
  const shown = shownDefault ?? `\`${value}\``;
  return [`\`${name}\``, shown.replaceAll('<', '&lt;'), unit ?? '', secret ? `${meaning} **Secret.**` : meaning];
}

/** Padded as the formatter pads, which checks the page as well. */
function table([head = [], ...rows]: string[][]): string {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((cells) => cells[column]?.length ?? 0)));
  const rule = widths.map((width) => '-'.repeat(width));
  const line = (cells: string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |\n`;
  return [head, rule, ...rows].map(line).join('');
}

const head = ['Variable', 'Default', 'Unit', 'Meaning'];
writeFileSync('docs/configuration.md', `${intro}\n${table([head, ...variableNames.map(row)])}`);
