# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 4 · Decision outputs: the numbers that decide
#
# **After this notebook you can**
#
# - read a histogram of margins: who is right, by how much, and who is nearly lost;
# - see in it whether an attack did anything at all;
# - explain what S moves in such a picture, and what it does not.
#
# | time | you need | runs in |
# | --- | --- | --- |
# | 35 minutes | notebooks 00 and 01 | about 4 seconds, with or without `FAST` (MNIST: 15) |

# %% tags=["parameters"]
FAST = False  # True: fewer images, for a quick look
SEED = 0  # of everything random
DATA = "digits"  # or "mnist", once `tasklab data mnist` has brought it

# %%
from tasklab import PGD, attack, load, load_data
from tasklab.evaluation import outcomes
from tasklab.experiments.scenario import Scenario
from tasklab.figures import decision_histogram, outcome_stack, read_decisions
from tasklab.models.fast import PLAIN

EPS = 0.2
test = load_data(DATA, "test").subset(100 if FAST else 300)
x, y = test.x(), test.labels  # (N, 1, H, W) in [0, 1], and (N,)


def attacked(system, objective):
    settings = PGD(eps=EPS, steps=10, random_start=False, keep="best", objective=objective, plan=PLAIN, seed=SEED)
    return attack(system, x, y, settings)

# %% [markdown]
# ## 1 · The margin of the worst bit
#
# RBC answers in four bits. Its margin is that of the worst one: positive means that all four are on their side, so the
# label is read. Training pushes every bit beyond S = 350.
#
# **Predict.** For clean images: where does most of the histogram lie, relative to 0 and to 350?

# %%
rbc = load(f"{DATA}-rbc")
clean = rbc.read(x)
reading = read_decisions(rbc.task, clean, None, y)
decision_histogram(reading)

# %% tags=["check"]
assert (reading.before > 0).mean() > 0.9, "Most images are read correctly: their margin is positive."
assert (reading.before > 350).mean() > 0.3, "For many of them, training has nothing left to push: the loss is 0."

# %% [markdown]
# <details><summary>What you should see</summary>
#
# Nearly everything lies right of 0, much of it beyond the rail at S. Beyond the rail the training loss is exactly 0.
# </details>
#
# ## 2 · An attack on the loss, an attack on the margin
#
# **Predict.** The grey line stays where it is: before the attack. Where do the bars go under an attack on the training
# loss, and where under one on the margin?

# %%
own, aimed = attacked(rbc, "train"), attacked(rbc, "margin")
decision_histogram(read_decisions(rbc.task, clean, rbc.read(own.images), y), legend=True)

# %%
decision_histogram(read_decisions(rbc.task, clean, rbc.read(aimed.images), y), legend=True)

# %%
rows = [("clean", rbc.predict(x)), ("own loss", own.decoded), ("margin", aimed.decoded)]
outcome_stack([(name, outcomes(decoded, y)) for name, decoded in rows])

# %% tags=["check"]
assert aimed.accuracy < own.accuracy - 0.3, "The margin leaves far fewer right than the own loss."
assert own.share(own.zero_gradient) > 0.3 > aimed.share(aimed.zero_gradient), "Only the loss is flat."

# %% [markdown]
# <details><summary>What you should see</summary>
#
# Under the attack on the loss, the bars beyond the rail sit on the grey line: those images have not moved. Under the
# attack on the margin, the whole histogram goes to the left of 0.
# </details>
#
# ## 3 · INT: a point on a line
#
# INT has one number. Each class owns an interval; between two lies a gap that means None. An attack can end in another
# interval (*wrong*), or in a gap (*None*), which at least raises an alarm. Here are the pictures of one digit.
#
# **Predict.** Their numbers lie in that digit's interval. Where will an attack at both ends of it send them: just
# beyond an end, or far along the line? Into a gap, or into another interval?

# %%
interval = load(f"{DATA}-int")
fell = attacked(interval, "bits")
of = int(y[0])
decision_histogram(read_decisions(interval.task, interval.read(x), interval.read(fell.images), y, label=of))

# %% tags=["check"]
shares = outcomes(fell.decoded, y)
print(f"of all images: right {shares.accuracy} %, None {shares.alarm} %, wrong {shares.error} %")
assert shares.wrong > 10 * shares.abnormal, "Nearly all images end in another interval, hardly any in a gap."

# %% [markdown]
# <details><summary>What you should see</summary>
#
# Far along the line, across several classes. A step that leads out of an interval rarely ends in the gap beside it:
# all gaps together take up less than a fifth of the line between the first interval and the last. So None is an alarm
# that rings for one image in twenty at most, and nearly all others are silently read as another digit.
# </details>
#
# ## 4 · What S does
#
# Three systems, trained alike, with S = 10, 100 and 350.
#
# **Predict.** How does the histogram change with S? How many images stay right under the attack on the margin?

# %%
left, reach = {}, {}
for key in ("rbc-s10", "rbc-s100", "rbc"):
    system = load(f"{DATA}-{key}")
    left[system.task.S] = attacked(system, "margin").accuracy
    reach[system.task.S] = float(system.margins(x).gather(1, y[:, None]).median())
print("median margin:", {S: round(value) for S, value in reach.items()})
print("right under the attack on the margin:", {S: f"{share:.0%}" for S, share in left.items()})

# %% tags=["check"]
assert reach[350] > 20 * reach[10], "The whole picture scales with S."
assert max(left.values()) - min(left.values()) < 0.2, "What the attack leaves hardly depends on S."

# %% [markdown]
# <details><summary>What you should see</summary>
#
# Margins grow with S, as its unit does. What an attack on the decision leaves does not: only *where the changes of sign
# lie* matters to it. Notebook 07 says why.
# </details>
#
# ## Exercise 1 · Nearly lost (5 minutes)
#
# Which share of the clean images is read correctly by RBC, but with a margin *below S*? For those alone the training
# loss still has a gradient.
#
# *Hint.* `reading.before` is an array of margins, S is `rbc.task.S`. Two conditions on arrays join with `&`, each in
# brackets of its own.

# %% tags=["exercise"]
nearly = None  # a number from 0 to 1

# %% tags=["solution"]
nearly = ((reading.before > 0) & (reading.before < rbc.task.S)).mean()

# %% tags=["check"]
assert nearly is not None, "Exercise 1: nearly is still to be filled in."
there = sum(1 for margin in reading.before if 0 < margin < 350) / len(reading.before)
assert abs(nearly - there) < 0.005, "Exercise 1: above 0 and below S, both at once, as a share of all images."
print(f"{nearly:.0%} are right, and still have a gradient; {own.share(own.zero_gradient):.0%} never had one")

# %% [markdown]
# ## Exercise 2 · The weakest bit (8 minutes)
#
# Which of the four bits does the attack on the margin turn over most often? `rbc.read(...)` gives outputs `(N, 4)`; a
# bit is 1 where its output is positive. Compare before and after, and put the bit's place (0 to 3) into `weakest`.
#
# *Hint.* Two boolean arrays differ where `a != b`; a mean over the images gives four shares.

# %% tags=["exercise"]
weakest = None  # 0, 1, 2 or 3

# %% tags=["solution"]
turned = ((rbc.read(x) > 0) != (rbc.read(aimed.images) > 0)).float().mean(dim=0)  # (4,)
weakest = int(turned.argmax())

# %% tags=["check"]
flips = ((clean > 0) != (rbc.read(aimed.images) > 0)).float().mean(dim=0)
assert weakest in range(4), "Exercise 2: a place from 0 to 3, please."
assert flips[weakest] == flips.max(), "Exercise 2: another bit is turned more often. Did you compare before and after?"

# %% [markdown]
# ## The same in the app
#
# The outputs page draws these histograms for the systems side by side, bit by bit and class by class.

# %%
systems = tuple(f"{DATA}-{key}" for key in ("rbc-s10", "rbc-s100", "rbc"))
print(Scenario(data=DATA, systems=systems, eps=EPS, n=len(test)).link("outputs"))

# %% [markdown]
# ## Questions (5 minutes)
#
# 1. Under some attack, all bars lie exactly on the grey line. Name two explanations.
# 2. Doubling S doubles all margins. Why does that not make the system harder to attack?
# 3. When is None a better answer than a wrong class, and when is it as bad?
#
# <details><summary>Answers</summary>
#
# 1. The images did not move (no gradient), or ε is 0. The share of zero gradients tells them apart.
# 2. The outputs' slopes double as well: the distance *in the image* to the change of sign stays as it is.
# 3. Better where somebody can look again; as bad where the answer is needed at once, and an attacker wants it gone.
# </details>
#
# ## Further reading
#
# - Athalye, Carlini, Wagner (2018): *Obfuscated Gradients Give a False Sense of Security*. ICML. arXiv:1802.00420.
# - Dietterich, Bakiri (1995): *Solving Multiclass Learning Problems via Error-Correcting Output Codes*. JAIR 2,
#   263–286.
