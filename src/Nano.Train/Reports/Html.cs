using System.Text;

namespace Nano;

/// <summary>Text made safe for HTML and XML, and the page around a report.</summary>
internal static class Html
{
    /// <summary>
    /// Escapes markup and quotes. Control characters other than tab and newline show as their
    /// picture (␀, ␛ ...); what neither HTML nor XML may hold (C1 controls, lone surrogates,
    /// non-characters) as U+FFFD.
    /// </summary>
    public static string Escape(string? text)
    {
        var safe = new StringBuilder();
        foreach (Rune rune in (text ?? "").EnumerateRunes())
            _ = rune.Value switch
            {
                '&' => safe.Append("&amp;"),
                '<' => safe.Append("&lt;"),
                '>' => safe.Append("&gt;"),
                '"' => safe.Append("&quot;"),
                '\'' => safe.Append("&#39;"),
                '\t' or '\n' => safe.Append((char)rune.Value),
                < 0x20 => safe.Append((char)(0x2400 + rune.Value)),
                0x7F => safe.Append('\u2421'),
                > 0x7F and < 0xA0 => safe.Append('\uFFFD'),
                int other when (other & 0xFFFE) == 0xFFFE => safe.Append('\uFFFD'),
                _ => safe.Append(rune.ToString()),
            };
        return safe.ToString();
    }

    /// <summary>A self-contained page.</summary>
    /// <param name="title">Its title, escaped.</param>
    /// <param name="body">The content, as HTML.</param>
    public static string Page(string title, StringBuilder body) => $"""
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8"/>
        <meta name="viewport" content="width=device-width, initial-scale=1"/>
        <title>{title} · Nano</title>
        <style>
        {Style}
        </style>
        </head>
        <body>
        <main>
        {body}</main>
        </body>
        </html>

        """;

    /// <summary>
    /// Blue and vermilion of the Okabe-Ito palette, which colour-blind readers can tell apart;
    /// light or dark as the reader's system says.
    /// </summary>
    private const string Style = """
        :root {
          color-scheme: light dark; --paper: #fffefb; --ink: #1d2126; --soft: #646a73; --rule: #e4e3de;
          --panel: #f6f5f0; --blue: #0072b2; --pale: #a3cbe3; --red: #c94f00; --green: #00795a; --band: #cfe6dc;
        }
        @media (prefers-color-scheme: dark) {
          :root {
            --paper: #14171b; --ink: #e7e5df; --soft: #9aa1aa; --rule: #2a2f36; --panel: #1b1f25; --blue: #5cb8ec;
            --pale: #356a8c; --red: #f0934a; --green: #55c7a0; --band: #21463a;
          }
        }
        * { box-sizing: border-box; }
        body {
          margin: 0; background: var(--paper); color: var(--ink);
          font: 16px/1.55 -apple-system, "Segoe UI", Inter, Roboto, "Helvetica Neue", Arial, sans-serif;
          font-variant-numeric: tabular-nums;
        }
        main { max-width: 1040px; margin: 0 auto; padding: 44px 28px 64px; }
        .over { margin: 0; color: var(--soft); font-size: 13px; letter-spacing: .02em; }
        h1 {
          margin: 2px 0 10px; font-size: 34px; line-height: 1.15; font-weight: 650; letter-spacing: -.02em;
          overflow-wrap: anywhere;
        }
        h2 {
          margin: 44px 0 10px; padding-top: 12px; border-top: 1px solid var(--rule); font-size: 17px;
          font-weight: 650;
        }
        .lede { margin: 0 0 30px; max-width: 46em; font-size: 18px; color: var(--soft); overflow-wrap: anywhere; }
        .lede b { color: var(--ink); font-weight: 600; }
        .warn { max-width: 46em; margin: -14px 0 30px; padding: 2px 0 2px 14px; border-left: 3px solid var(--red); }
        .verdict { max-width: 50em; margin: -14px 0 30px; padding: 2px 0 2px 14px; border-left: 3px solid var(--rule); }
        .verdict b { font-weight: 650; }
        .verdict ul { margin: 4px 0 0; padding-left: 20px; color: var(--soft); }
        .good { border-color: var(--green); }
        .bad { border-color: var(--red); }
        .wide { overflow-x: auto; }
        .wide + .wide { margin-top: 30px; }
        .wide svg { min-width: 940px; }
        .trio {
          display: grid; grid-template-columns: repeat(auto-fit, minmax(280px, 1fr)); gap: 26px 30px;
          margin-top: 30px;
        }
        .pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(340px, 1fr)); column-gap: 48px; }
        .pair > div { min-width: 0; }
        .trio svg { max-width: 440px; }
        .tall { max-height: 480px; overflow-y: auto; }
        @media print { .tall { max-height: none; } }
        svg { display: block; width: 100%; height: auto; font-size: 12px; fill: var(--ink); }
        svg .title { font-size: 14px; font-weight: 650; }
        svg .soft, svg .legend, .axes text { fill: var(--soft); }
        svg path { fill: none; stroke-linejoin: round; stroke-linecap: round; }
        .axes path { stroke: var(--rule); }
        .axes path.base { stroke: var(--soft); stroke-opacity: .6; }
        path.thin { stroke: var(--pale); stroke-width: 1; }
        path.line { stroke: var(--blue); stroke-width: 2; }
        path.points { stroke: var(--red); stroke-width: 1; stroke-opacity: .45; }
        path.reference { stroke: var(--red); stroke-width: 1.5; stroke-dasharray: 5 4; }
        svg path.area { fill: var(--band); }
        tspan.area { fill: var(--band); }
        tspan.thin { fill: var(--pale); }
        tspan.line { fill: var(--blue); }
        tspan.points, tspan.reference { fill: var(--red); }
        .points circle { fill: var(--red); stroke: var(--paper); stroke-width: 1.5; }
        .points text {
          fill: var(--red); font-weight: 600; paint-order: stroke; stroke: var(--paper); stroke-width: 4px;
          stroke-linejoin: round; pointer-events: none;
        }
        .bands rect { fill: transparent; }
        .bands rect:hover { fill: var(--ink); fill-opacity: .1; }
        table { width: 100%; border-collapse: collapse; font-size: 14px; }
        th, td {
          padding: 4px 0 4px 16px; border-bottom: 1px solid var(--rule); text-align: right; vertical-align: baseline;
          white-space: nowrap;
        }
        th:first-child, td:first-child { padding-left: 0; text-align: left; white-space: normal; }
        .settings td:last-child { white-space: normal; overflow-wrap: anywhere; }
        th { color: var(--soft); font-weight: 500; white-space: nowrap; }
        tr.best td { color: var(--red); font-weight: 600; }
        pre {
          margin: 8px 0 0; padding: 14px 18px; background: var(--panel); border-radius: 6px;
          font: 13px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
          white-space: pre-wrap; overflow-wrap: anywhere;
        }
        details { margin-bottom: 6px; }
        summary, .caption { color: var(--soft); font-size: 14px; cursor: pointer; }
        .caption { margin: 14px 0 0; cursor: auto; }
        """;
}
