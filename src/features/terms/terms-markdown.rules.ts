/**
 * Markdown of a tenant as HTML for a page of ours, pure. What may come out is listed, everything else stays text: no HTML,
 * no images (whoever opens the page would be told to another place), links to https only. Headings begin below the page's
 * own two levels.
 */
import MarkdownIt from 'markdown-it';

const markdown = new MarkdownIt('zero', { html: false, linkify: false }).enable([
  'heading',
  'lheading',
  'list',
  'blockquote',
  'hr',
  'emphasis',
  'strikethrough',
  'link',
  'reference',
  'autolink',
  'newline',
  'escape',
  'entity',
]);

/** Levels taken by the page: its title, and the terms' own title. */
const OUTER_HEADINGS = 2;
const DEEPEST_HEADING = 6;

markdown.validateLink = (url) => URL.parse(url)?.protocol === 'https:';

markdown.core.ruler.push('below_the_page', ({ tokens }) => {
  for (const token of tokens) {
    if (token.type === 'heading_open' || token.type === 'heading_close')
      token.tag = `h${Math.min(Number(token.tag.slice(1)) + OUTER_HEADINGS, DEEPEST_HEADING)}`;
    for (const inline of token.children ?? []) {
      if (inline.type !== 'link_open') continue;
      inline.attrSet('target', '_blank');
      inline.attrSet('rel', 'noopener noreferrer');
    }
  }
});

export function termsHtml(text: string): string {
  return markdown.render(text);
}
