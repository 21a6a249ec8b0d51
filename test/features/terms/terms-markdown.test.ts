import { describe, expect, it } from '@jest/globals';
import { termsHtml } from '../../../src/features/terms/terms-markdown.rules.js';

describe('terms in Markdown', () => {
  it('have headings below the page’s own, lists and emphasis', () => {
    expect(termsHtml('# Rules\n\nBe *kind*.\n\n- one\n- two')).toBe(
      '<h3>Rules</h3>\n<p>Be <em>kind</em>.</p>\n<ul>\n<li>one</li>\n<li>two</li>\n</ul>\n',
    );
    expect(termsHtml('###### Deep')).toBe('<h6>Deep</h6>\n');
  });

  it('link to https only, in a window of its own', () => {
    expect(termsHtml('[policy](https://contoso.example/policy)')).toBe(
      '<p><a href="https://contoso.example/policy" target="_blank" rel="noopener noreferrer">policy</a></p>\n',
    );
    for (const url of [
      'http://contoso.example/',
      'javascript:alert(1)',
      'data:text/html,x',
      '//evil.example',
      '/r/x',
      'mailto:a@b.example',
    ]) {
      expect([url, termsHtml(`[policy](${url}) and <${url}>`)]).toEqual([url, expect.not.stringContaining('<a')]);
    }
    expect(termsHtml('[policy][1]\n\n[1]: javascript:alert(1)')).not.toContain('<a');
  });

  it('carry no HTML and no images: what is not listed stays text', () => {
    const hostile = [
      '<script>alert(1)</script>',
      'x <img src=x onerror=alert(1)> y',
      '<div onclick="x">\n\n</div>',
      '<!-- hidden -->',
      '[a](https://x.example "\\"onmouseover=\\"alert(1)")',
      '![tracker](https://tracker.example/pixel.png)',
      '&lt;script&gt;',
      '```html\n<b>\n```',
      '| a | b |\n|:-|-:|\n| 1 | <i>2</i> |',
    ];
    for (const text of hostile) {
      const html = termsHtml(text);
      const tags = [...html.matchAll(/<\/?([a-z0-9!-]+)/gi)].map(([, name]) => name);
      expect([text, tags.filter((name) => !['p', 'a', 'br'].includes(name as string))]).toEqual([text, []]);
      expect(html).not.toMatch(/<[^>]*( on\w+|style|src)=/);
    }
  });
});
