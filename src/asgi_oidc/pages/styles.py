"""The one stylesheet: light and dark, wide and narrow; its hash is in the content security policy."""

TINTS = {  # of tiles with white letters: contrast at least 4.5:1 (WCAG 2.2, 1.4.3)
    "blue": "#1d4ed8",
    "indigo": "#4f46e5",
    "pink": "#be185d",
    "red": "#b91c1c",
    "orange": "#b45309",
    "green": "#15803d",
    "teal": "#0f766e",
    "slate": "#475569",
}

STYLE = """\
:root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--ink:#1b1f24;--soft:#5a6370;--line:#e2e6eb;
--accent:#1d4ed8;--primary:var(--accent);--label:var(--card);--focus:var(--accent)}
@media(prefers-color-scheme:dark){
:root{--bg:#0f1216;--card:#171b21;--ink:#e8ebef;--soft:#9aa4b1;--line:#2a3038;--accent:#8ab4ff}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:clamp(.75rem,5vw,1.5rem);background:var(--bg);color:var(--ink);
font:16px/1.6 system-ui,sans-serif}
main{width:100%;max-width:32rem;padding:clamp(1.5rem,6vw,2.5rem);background:var(--card);
border:1px solid var(--line);border-radius:14px}
h1{margin:0 0 .625rem;font-size:1.5rem;line-height:1.25;letter-spacing:-.015em;text-wrap:balance}
p{margin:0 0 1.5rem;text-wrap:pretty}
h1,p{overflow-wrap:anywhere}
.app{margin:0 0 .5rem;color:var(--soft);font-size:.875rem;font-weight:600}
.brand{display:block;max-width:100%;max-height:3rem;margin:0 0 1.25rem}
.actions{display:flex;flex-wrap:wrap;gap:.75rem;align-items:center}
.actions a,.actions button{font:inherit;font-weight:600;padding:.55rem 1.1rem;border-radius:9px;cursor:pointer;
border:1px solid color-mix(in srgb,var(--ink) 35%,transparent);background:none;color:var(--ink);text-decoration:none}
.actions form{display:flex}
@media(max-width:30rem){.actions>*,.actions form>*{flex:1 1 100%;text-align:center}}
.actions .first{background:var(--primary);border-color:var(--primary);color:var(--label)}
.actions :hover{border-color:var(--soft)}
.actions .first:hover{border-color:var(--primary);filter:brightness(1.1)}
:focus-visible{outline:2px solid var(--focus);outline-offset:3px}
.fields{margin:0 0 1.5rem;padding:.25rem 1rem;max-height:20rem;overflow:auto;
border:1px solid var(--line);border-radius:9px}
.fields dt{margin-top:.75rem;color:var(--soft);font-size:.875rem}
.fields dd{margin:0 0 .75rem;white-space:pre-wrap;overflow-wrap:anywhere}
.notice,.question{margin-top:1.25rem}
.notice{padding:.75rem 1rem;border-radius:9px;border:1px solid color-mix(in srgb,var(--accent) 50%,transparent);
background:color-mix(in srgb,var(--accent) 8%,transparent)}
.choices{margin:0;padding:0;list-style:none;display:grid;gap:.625rem}
.choices a{display:flex;align-items:center;gap:.75rem;min-height:3.25rem;padding:.5rem .75rem;border-radius:9px;
border:1px solid color-mix(in srgb,var(--ink) 35%,transparent);color:var(--ink);text-decoration:none;font-weight:600}
.choices a:hover{border-color:var(--accent);background:color-mix(in srgb,var(--accent) 6%,transparent)}
.name{flex:1;min-width:0;display:flex;flex-wrap:wrap;align-items:center;gap:.25rem .75rem;line-height:1.35;
overflow-wrap:anywhere}
.name :first-child{flex:1 1 auto;min-width:0}
.badge{padding:.1rem .6rem;border:1px solid var(--line);border-radius:99px;
color:var(--soft);font-size:.8125rem}
.logo{flex:none;display:grid;place-items:center;width:2.25rem;height:2.25rem;border-radius:8px;color:#fff;
font-size:.875rem;line-height:1}
.logo svg{width:1.375rem;fill:none;stroke:currentColor;stroke-width:2;stroke-linecap:round;stroke-linejoin:round}
.choices li{display:grid}
.compact{grid-template-columns:repeat(auto-fill,minmax(min(12.5rem,100%),1fr));gap:.125rem .5rem;margin:0 -.5rem}
.choices+.compact{margin-top:1rem}
.compact a{min-height:2.75rem;padding:.375rem .5rem;border-color:transparent;font-weight:500}
.compact .logo{width:1.75rem;height:1.75rem;border-radius:7px;font-size:.75rem}
.compact svg{width:1.125rem}
main:has(.groups){max-width:46rem}
.index{display:flex;flex-wrap:wrap;gap:.125rem;margin:1.25rem -.5rem 0}
.index a{min-width:2rem;padding:.25rem;border-radius:7px;color:var(--accent);text-align:center;text-decoration:none;
font-weight:600}
.index a:hover{background:color-mix(in srgb,var(--accent) 10%,transparent)}
.groups h2{margin:1.25rem 0 .25rem;padding-bottom:.25rem;border-bottom:1px solid var(--line);color:var(--soft);
font-size:.875rem}
.question label{display:block;margin:0 0 .375rem;font-weight:600}
.question input{width:100%;font:inherit;padding:.55rem .75rem;border-radius:9px;background:none;color:inherit;
border:1px solid color-mix(in srgb,var(--ink) 50%,transparent)}
.hint{margin:.375rem 0 1.5rem;color:var(--soft);font-size:.875rem}
.reference{margin:1.5rem 0 0;padding-top:1rem;border-top:1px solid var(--line);color:var(--soft);font-size:.875rem}
""" + "".join(f".{tint}{{background:{color}}}" for tint, color in TINTS.items())
