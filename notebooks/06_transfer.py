# %% [markdown]
# # 6 · Transfer: images made for one network, shown to another
#
# **After this notebook you can**
#
# - measure how often an image that fools one network also fools another;
# - distinguish "it does not transfer" from "there was nothing to transfer";
# - say which images a transfer rate counts, and why the rate must be compared with that of noise.
#
# | time | you need | runs in |
# | --- | --- | --- |
# | 40 minutes | notebooks 00 and 03 | about 5 seconds, with or without `FAST` (MNIST: 20) |

# %% tags=["parameters"]
FAST = False  # True: fewer images, for a quick look
SEED = 0  # of everything random
DATA = "digits"  # or "mnist", once `tasklab data mnist` has downloaded it

# %%
from tasklab import PGD, load, load_data, transfer
from tasklab.experiments.scenario import Scenario
from tasklab.figures import gallery, look_of
from tasklab.figures.matrix import transfer_figure
from tasklab.models.fast import PLAIN

EPS = 0.2
NAMES = {"tra": "TRA", "deepbe": "DeepBE", "int": "INT", "rbc": "RBC"}
keys = tuple(NAMES)
systems = {key: load(f"{DATA}-{key}") for key in keys}
test = load_data(DATA, "test").subset(200 if FAST else 400)
x, y = test.x(), test.labels  # (N, 1, H, W) in [0, 1], and (N,)


def settings(objective, **others):
    return PGD(eps=EPS, steps=10, random_start=False, keep="last", objective=objective, plan=PLAIN, seed=SEED, **others)

# %% [markdown]
# ## 1 · The paper's question
#
# Take images that were made to fool one system, the *threat*. Show them to another one, the *victim*. The share that
# fools the victim as well is the **transfer rate**. If the images that were made for a system fool no other system, and
# no other system's images fool it, that looks like a strong defence. The attack here is the paper's: it climbs the
# threat's own training loss.
#
# **Predict.** Whose images will fool the others most often, and whose least often?

# %%
guess = {"most": None, "least": None}  # "tra", "deepbe", "int" or "rbc"

# %%
own = transfer(systems, systems, x, y, settings("train"))
print("you said", guess)
transfer_figure(own, names=NAMES)

# %% tags=["check"]
rate = {(a, b): own.cells[a, b].rate().value for a in keys for b in keys}
assert all(rate["int", victim] == 0 for victim in ("tra", "deepbe", "rbc")), (  # ✓2
    "INT's images fool no other system.")
assert rate["tra", "deepbe"] > 0.3, "TRA's images fool another system."  # ✓1
assert rate["deepbe", "tra"] > 0.15  # ✓1
others = min(rate[a, b] for a in ("tra", "deepbe") for b in keys if b != a)
assert max(rate["rbc", victim] for victim in ("tra", "deepbe", "int")) < others / 2, "RBC's transfer less."  # ✓2

# %% [markdown]
# <details><summary>What you should see</summary>
#
# Each row is a threat, each column a victim. TRA's and DeepBE's images transfer [✓1]. INT's do not transfer at all, and
# RBC's transfer much less [✓2]. The last column says which share of the images the attack returned unchanged.
# </details>
#
# ## 2 · Look at what was shown
#
# Before we call that a defence, let us look at the images in INT's row.
#
# **Predict.** ε = 0.2 allows every pixel to change visibly. How many of INT's images were changed at all?

# %%
moved = own.threats["int"].images
changed = (moved != x).flatten(1).any(dim=1)
right = systems["int"].predict(x) == y  # before any attack
print(f"images that INT's attack changed: {int(changed.sum())} of {len(y)}; "
      f"of those that INT classifies correctly: {int((changed & right).sum())}")
gallery([x[0], moved[0], x[1], moved[1]], ["clean", "INT's attack", "clean", "INT's attack"])

# %% tags=["check"]
assert own.threats["int"].unmoved.value > 0.95, "Nearly every image came back unchanged, bit for bit."
assert own.threats["int"].zero_gradient.value > 0.95, "There was no gradient."
assert not (changed & right).any(), "No image that counts was changed."  # ✓7

# %% [markdown]
# None of the images that count was changed [✓7]. (The few that were changed are images that INT misclassifies anyway:
# only there does its loss have a gradient.) The victims were shown *clean* images, and classified them correctly. A
# rate of 0 says nothing about them, and nothing about INT: **the attack never made anything that could transfer.**
#
# ## 3 · The same matrix, aimed at the decision
#
# Only one word changes: the attacks on the threats now minimise the `margin`, the distance to where the answer changes.
#
# **Predict.** How will the rows of INT and RBC change?

# %%
aimed = transfer(systems, systems, x, y, settings("margin"))
transfer_figure(aimed, names=NAMES)

# %% tags=["check"]
assert all(aimed.threats[key].unmoved.value < 0.05 for key in keys), "Now every attack moves its images."
mean = {matrix: {a: sum(cells[a, b].rate().value for b in keys if b != a) / 3 for a in keys}
        for matrix, cells in (("training loss", own.cells), ("margin", aimed.cells))}
for matrix, means in mean.items():
    print(f"{matrix:8} mean rate over the three other systems:", {a: f"{share:.0%}" for a, share in means.items()})
assert mean["margin"]["rbc"] > mean["training loss"]["rbc"] + 0.2, "RBC's images do transfer."  # ✓3
assert mean["margin"]["int"] > mean["training loss"]["int"] + 0.2, "So do INT's."  # ✓3
assert systems["int"].card["start"]["name"] == f"{DATA}-tra", "INT was trained from TRA."  # ✓4 ✓5
if DATA == "digits":
    related = [aimed.cells[pair].rate().value for pair in (("tra", "int"), ("int", "tra"))]
    assert min(related) > 0.95 > aimed.cells["rbc", "tra"].rate().value + 0.2, (  # ✓6
        "TRA and INT, which are related, should fall to each other's images.")

# %% tags=["check"]
if DATA == "digits" and not FAST:
    rates = {a: [aimed.cells[a, b].rate().value for b in keys if b != a] for a in keys}
    said = {"rbc": (0.61, 0.86), "tra": (0.83, 1.0), "int": (0.83, 0.99), "deepbe": (0.49, 0.79)}
    assert all(max(abs(min(rates[a]) - low), abs(max(rates[a]) - high)) < 0.03 for a, (low, high) in said.items())  # ✓4

# %% [markdown]
# <details><summary>What you should see</summary>
#
# The rates in both rows rise [✓3]. On digits, RBC's images fool the others in 61 to 86 % of the cases, depending on the
# victim [✓4]. That is less often than TRA's (83 to 100 %) and INT's (83 to 99 %), and more often than DeepBE's (49 to
# 79 %) [✓4]. So codes do not stop images from transferring: what looked like a defence was a missing gradient.
#
# Why do the images of TRA and INT fool each other's network nearly always [✓6]? The shipped INT did not start with
# fresh weights: its card says that it was trained from the shipped TRA [✓5]. Networks that are related seem to share
# their weaknesses. So a transfer rate says as much about how two networks were made as about their tasks, and one
# system of each kind is too few to compare tasks.
# </details>
#
# ## 4 · Which images count, and what noise does
#
# The paper counts images that the *threat* classifies correctly. The victim may misclassify some of those even before
# any attack. The stricter filter counts only images that *both* classify correctly. And each rate should be compared
# with that of plain noise of the same size.
#
# **Predict.** Does the rate rise or fall from the first filter to the second? And what is the rate of noise?

# %%
cell = aimed.cells["tra", "int"]
for images in ("threat", "both"):
    print(f"{images:>6}: transfer {cell.rate(images).percent(1)} %, noise {cell.noise(images).percent(1)} %, "
          f"of {cell.rate(images).n} images")

# %% tags=["check"]
assert cell.rate("threat").n >= cell.rate("both").n, "Both must be correct: that is the stricter condition."
assert cell.rate("both").value > cell.noise("both").value, "An attack should do more than noise."

# %% [markdown]
# ## Exercise 1 · Weaker than noise? (5 minutes)
#
# Under the paper's attack, is there a threat whose images fool RBC *less* often than noise of the same size does? Make
# `weak` the set of those threats (leave out RBC itself). Use the cells of `own`, and the filter `"both"`.
#
# *Hint.* Section 4 shows how to get both shares from a cell; the number itself is the share's `.value`.

# %% tags=["exercise"]
weak = set()  # names of threats

# %% tags=["solution"]
weak = {key for key in keys if key != "rbc"
        and own.cells[key, "rbc"].rate().value < own.cells[key, "rbc"].noise().value}

# %% tags=["check"]
print("weaker than noise:", weak or "none", "· noise fools", own.cells["int", "rbc"].noise().percent(1), "% of RBC's")
assert isinstance(weak, set), "Exercise 1: `weak` should be a set of names, such as {'tra'}."
assert "rbc" not in weak, "Exercise 1: leave out RBC itself, the victim."
for key in ("tra", "deepbe", "int"):
    rate, plain = own.cells[key, "rbc"].rate("both").value, own.cells[key, "rbc"].noise("both").value
    assert (key in weak) == (rate < plain), (
        f"Exercise 1: {NAMES[key]}'s images fool RBC in {rate:.1%} of the cases, noise in {plain:.1%}. So should "
        f"'{key}' be in the set?")

# %% [markdown]
# ## Exercise 2 · All other threats together (8 minutes)
#
# An attacker who cannot see inside the victim may own several other networks. `aimed.union(victim)` counts an image as
# fooling the victim if the version made for *any* other threat does. How often do all others together fool RBC, and how
# often does the best single one? Fill in both shares, as numbers from 0 to 1.
#
# *Hint.* `union` returns a cell like those of section 4. For the best single threat, compare three cells.

# %% tags=["exercise"]
everybody, single = None, None

# %% tags=["solution"]
everybody = aimed.union("rbc").rate().value
single = max(aimed.cells[key, "rbc"].rate().value for key in keys if key != "rbc")

# %% tags=["check"]
assert everybody is not None and single is not None, "Exercise 2: fill in both shares."
assert max(everybody, single) <= 1, "Exercise 2: the shares should be numbers from 0 to 1."
print(f"all others together {100 * everybody:.0f} %, the best of them {100 * single:.0f} %")
best = max(aimed.cells[key, "rbc"].rate().value for key in keys if key != "rbc")
assert abs(everybody - aimed.union("rbc").rate().value) < 1e-9, "Exercise 2: `everybody` should come from aimed."
assert abs(single - best) < 1e-9, "Exercise 2: `single` is the largest rate of *one* other threat, not RBC itself."

# %% [markdown]
# ## One image, four answers
#
# Here is an image that was made for TRA alone, with the answer of each system to it.

# %%
made = aimed.threats["tra"].images
fell = [int(systems[key].predict(made[:1])) for key in keys]
captions = [f"{NAMES[key]}: {'None' if label < 0 else label}" for key, label in zip(keys, fell, strict=True)]
gallery([made[0]] * len(keys), captions, looks=[look_of(label, int(y[0])) for label in fell])

# %% [markdown]
# ## The same in the app
#
# The page "Transfer" draws this matrix; a click on a cell shows its images.

# %%
print(Scenario(data=DATA, systems=tuple(f"{DATA}-{key}" for key in keys), eps=EPS, n=len(test)).link("transfer"))

# %% [markdown]
# ## Questions (5 minutes)
#
# 1. A table of transfer rates has a row of zeros. Which two explanations are there, and which number tells them apart?
# 2. Why does `keep="first"`, which stops as soon as the threat is fooled, make images that transfer less?
# 3. A victim resists all transferred images. Is it robust?
#
# <details><summary>Answers</summary>
#
# 1. Either the images do not work on other systems, or the attack did not change any image. The share of unmoved images
#    tells which.
# 2. They lie just beyond the threat's own boundary, and the victim's boundary is another one. (See also notebook 05.)
# 3. Not for that reason. Transfer is a weak attack, and there are many others. Like any attack, it gives an upper bound
#    on the accuracy in the worst case.
# </details>
#
# ## Further reading
#
# - [@papernot2016]
# - [@athalye2018]
