"""The one stylesheet: light and dark, wide and narrow; its hash is in the content security policy."""

STYLE = """\
:root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--ink:#1b1f24;--soft:#5a6370;--line:#e2e6eb;--accent:#1d4ed8}
@media(prefers-color-scheme:dark){
:root{--bg:#0f1216;--card:#171b21;--ink:#e8ebef;--soft:#9aa4b1;--line:#2a3038;--accent:#8ab4ff}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1.5rem;background:var(--bg);color:var(--ink);
font:16px/1.6 system-ui,sans-serif}
main{width:100%;max-width:32rem;padding:clamp(1.5rem,6vw,2.5rem);background:var(--card);
border:1px solid var(--line);border-radius:14px}
h1{margin:0 0 .625rem;font-size:1.5rem;line-height:1.25;letter-spacing:-.015em;text-wrap:balance}
p{margin:0 0 1.5rem;text-wrap:pretty}
h1,p{overflow-wrap:anywhere}
.app{margin:0 0 .5rem;color:var(--soft);font-size:.875rem;font-weight:600}
.actions{display:flex;flex-wrap:wrap;gap:.75rem;align-items:center}
.actions a,.actions button{font:inherit;font-weight:600;padding:.55rem 1.1rem;border-radius:9px;cursor:pointer;
border:1px solid color-mix(in srgb,var(--ink) 35%,transparent);background:none;color:var(--ink);text-decoration:none}
.actions form{display:flex}
@media(max-width:30rem){.actions>*,.actions form>*{flex:1 1 100%;text-align:center}}
.actions .first{background:var(--accent);border-color:var(--accent);color:var(--card)}
.actions :hover{border-color:var(--soft)}
.actions .first:hover{border-color:var(--accent);filter:brightness(1.1)}
:focus-visible{outline:2px solid var(--accent);outline-offset:3px}
.fields{margin:0 0 1.5rem;padding:.25rem 1rem;max-height:20rem;overflow:auto;
border:1px solid var(--line);border-radius:9px}
.fields dt{margin-top:.75rem;color:var(--soft);font-size:.875rem}
.fields dd{margin:0 0 .75rem;white-space:pre-wrap;overflow-wrap:anywhere}
.reference{margin:1.5rem 0 0;padding-top:1rem;border-top:1px solid var(--line);color:var(--soft);font-size:.875rem}
"""
