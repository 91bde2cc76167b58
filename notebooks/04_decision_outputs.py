# %% [markdown]
# # 4 · Decision outputs: the numbers that decide
#
# **After this notebook you can**
#
# - read in a histogram of margins which images are classified correctly, and by how much;
# - see in such a histogram whether an attack did anything at all;
# - explain what S changes in it, and what S does not change.
#
# | time | you need | runs in |
# | --- | --- | --- |
# | 35 minutes | notebooks 00 and 01 | about 6 seconds, 5 with `FAST` (MNIST: 20) |

# %% tags=["parameters"]
FAST = False  # True: fewer images, for a quick look
SEED = 0  # of everything random
DATA = "digits"  # or "mnist", once `tasklab data mnist` has downloaded it

# %%
import numpy as np

from tasklab import PGD, attack, load, load_data
from tasklab.evaluation import Share, mcnemar, outcomes
from tasklab.experiments.scenario import Scenario
from tasklab.figures import decision_histogram, outcome_stack, read_decisions
from tasklab.models.fast import PLAIN

EPS = 0.2
test = load_data(DATA, "test").subset(100 if FAST else 300)
x, y = test.x(), test.labels  # (N, 1, H, W) in [0, 1], and (N,)


def attacked(system, objective, eps=EPS):
    settings = PGD(eps=eps, steps=10, random_start=False, keep="best", objective=objective, plan=PLAIN, seed=SEED)
    return attack(system, x, y, settings)

# %% [markdown]
# ## 1 · The margin of the worst bit
#
# RBC answers in four bits. Its margin is that of the worst bit: a positive margin means that all four bits are on the
# correct side of 0. Training pushes every bit towards S = 350 and beyond.
#
# **Predict.** For clean images, where does most of the histogram lie, relative to 0 and to 350?

# %%
rbc = load(f"{DATA}-rbc")
clean = rbc.read(x)
reading = read_decisions(rbc.task, clean, None, y)
decision_histogram(reading)

# %% tags=["check"]
assert (reading.before > 0).mean() > 0.9, "Most images are classified correctly: their margin is positive."  # ✓1
assert (reading.before > 350).mean() > 0.3, "For many of them the training loss is exactly 0."  # ✓1

# %% [markdown]
# <details><summary>What you should see</summary>
#
# Nearly everything lies to the right of 0, and much of it beyond the dotted line at S, where the training loss is
# exactly 0 [✓1].
# </details>
#
# ## 2 · An attack on the loss, an attack on the margin
#
# **Predict.** The grey line shows the margins before the attack. Where do the bars go under an attack on the training
# loss, and where under an attack on the margin?

# %%
own, aimed = attacked(rbc, "train"), attacked(rbc, "margin")
decision_histogram(read_decisions(rbc.task, clean, rbc.read(own.images), y), legend=True)

# %%
decision_histogram(read_decisions(rbc.task, clean, rbc.read(aimed.images), y), legend=True)

# %%
rows = [("clean", rbc.predict(x)), ("training loss", own.decoded), ("margin", aimed.decoded)]
outcome_stack([(name, outcomes(decoded, y)) for name, decoded in rows])

# %% tags=["check"]
assert aimed.accuracy < own.accuracy - 0.3, "The attack on the margin leaves far fewer images correct."  # ✓3
assert own.share(own.zero_gradient) > 0.3 > aimed.share(aimed.zero_gradient), "Only the loss is flat."  # ✓2
assert aimed.accuracy < 0.05, "Aimed at the margin, the attack leaves next to no image correct."  # ✓3

# %% [markdown]
# <details><summary>What you should see</summary>
#
# Under the attack on the loss, the bars beyond the dotted line coincide with the grey line: those images have not
# moved [✓2]. Under the attack on the margin, the whole histogram moves to the left of 0 [✓3].
# </details>
#
# ## 3 · INT: a point on a line
#
# INT has one number. Each class owns an interval; between two intervals lies a gap that means None. An attack can end
# in another interval (*wrong*), or in a gap (*None*), which at least raises an alarm. The figure shows the images of
# one digit.
#
# **Predict.** The attack tries to leave the interval of that digit at both ends. Where will it send the images: just
# beyond an end, or far along the line? Into a gap, or into another interval?

# %%
interval = load(f"{DATA}-int")
fell = attacked(interval, "bits")
of = int(y[0])
decision_histogram(read_decisions(interval.task, interval.read(x), interval.read(fell.images), y, label=of))

# %% tags=["check"]
shares = outcomes(fell.decoded, y)
print(f"of all images: correct {shares.accuracy} %, None {shares.alarm} %, wrong {shares.error} %")
assert shares.wrong > 10 * shares.abnormal, "Nearly all images end in another interval, hardly any in a gap."  # ✓4
gap, length = 9 * interval.task.alpha, 10 * interval.task.beta
assert gap < (gap + length) / 5, "The gaps should take up less than a fifth of the line."  # ✓4
assert shares.alarm.value <= 0.06, "None raises an alarm for one image in twenty, or a few more."  # ✓4

# %% [markdown]
# <details><summary>What you should see</summary>
#
# They end far along the line, across several classes. A step that leads out of an interval rarely ends in the gap
# beside it: all gaps together take up less than a fifth of the line between the first interval and the last. So None
# raises an alarm for about one image in twenty at most, and nearly all others are silently read as another digit [✓4].
# </details>
#
# ## 4 · What S does
#
# Three systems, trained by one recipe, with S = 10, 100 and 350. At ε = 0.2 an attack leaves no image of any of them
# correct, and where nothing is left, nothing can be compared [✓8]. So we take a smaller ε, at which some images are
# left, and a stronger attack, which climbs each bit in turn.
#
# **Predict.** How does the histogram change with S? And the accuracy under attack?

# %%
SMALL = 0.05
left, reach, epoch = {}, {}, {}
for key in ("rbc-s10", "rbc-s100", "rbc"):
    system = load(f"{DATA}-{key}")
    epoch[system.task.S] = system.card["epoch"]
    left[system.task.S] = attacked(system, "bits", SMALL).decoded == y
    reach[system.task.S] = float(system.margins(x).gather(1, y[:, None]).median())
print("median margin:", {S: round(value) for S, value in reach.items()})
print(f"accuracy under attack at ε = {SMALL}, in %:", {S: str(Share.of(correct)) for S, correct in left.items()})
p = {(a, b): mcnemar(left[a], left[b]) for a, b in ((10, 100), (10, 350), (100, 350))}
print("McNemar's test on the same images:", {f"{a:g} against {b:g}": round(value, 3) for (a, b), value in p.items()})

# %% tags=["check"]
assert reach[350] > 20 * reach[10], "The whole histogram scales with S."  # ✓5
assert all(0.05 < correct.float().mean() < 0.95 for correct in left.values()), "There is room for a difference, …"  # ✓8
same_epoch = [value for (a, b), value in p.items() if epoch[a] == epoch[b]]
assert same_epoch and min(same_epoch) > 0.05, "… and no difference that chance would not explain."  # ✓6 ✓7
if DATA == "digits":
    assert all(0.7 < correct.float().mean() < 0.9 for correct in left.values()), "About 80 % for all three."  # ✓6
    assert min(p.values()) > 0.05, "No pair differs by more than chance would explain."  # ✓6
if DATA == "mnist":
    assert left[10].float().mean() < left[350].float().mean() - 0.1, "On MNIST, S = 10 is behind."  # ✓7
    assert FAST or [round(100 * float(left[S].float().mean())) for S in (10, 350)] == [58, 73]  # ✓7
    assert epoch == {10: 6, 100: 8, 350: 8}, "The epoch that was kept, of eight."  # ✓9
assert all(attacked(load(f"{DATA}-{key}"), "bits").accuracy < 0.01 for key in ("rbc-s10", "rbc-s100", "rbc"))  # ✓8

# %% [markdown]
# <details><summary>What you should see</summary>
#
# Margins grow with S, since S is their unit [✓5]. The accuracy under attack does not grow: on digits it is about 80 %
# for all three, and McNemar's test, which compares systems on the same images (notebook 08), finds no significant
# difference [✓6]. All that matters to an attack on the decision is *where the sign of a bit changes*.
#
# (On MNIST, S = 10 *is* behind, at 58 % against 73 % [✓7]. Look at `epoch` before you call that an effect of S: for
# each system the epoch that was best on the validation images was kept, and for S = 10 that was the sixth of eight, for
# the others the last [✓9]. One system of each kind is not enough to tell. Notebook 07 looks at several, proves that S
# by itself does nothing, and shows how a network can be trained so that S seems to do something.)
# </details>
#
# ## Exercise 1 · Nearly lost (5 minutes)
#
# Write `nearly_lost(margins, S)`: the share of all images that are classified correctly, but with a margin *below S*.
# Of the images that are classified correctly, these are the ones for which the training loss still has a gradient.
# `margins` is an array such as `reading.before`.
#
# *Hint.* How do you combine two conditions on arrays? And what is the mean of an array of truth values?

# %% tags=["exercise"]
def nearly_lost(margins, S):
    return None  # replace this line: a number from 0 to 1


# %% tags=["solution"]
def nearly_lost(margins, S):
    return ((margins > 0) & (margins < S)).mean()


# %% tags=["check"]
for row, S, expected in (([-5.0, 2.0, 8.0, 20.0, 30.0], 10, 0.4), ([-5.0, -400.0, 2.0], 350, 1 / 3)):
    margins = np.array(row)
    share = nearly_lost(margins, S)
    assert share is not None, "Exercise 1: nearly_lost should return a number."
    assert abs(share - (margins < S).mean()) > 1e-6, "Exercise 1: this counts misclassified images, too."
    assert abs(share - expected) < 1e-6, (
        f"Exercise 1: for the margins {margins.tolist()} and S = {S} it should be {expected:.2f}, but it is "
        f"{share:.2f}. Count margins that are above 0 and below S, as a share of *all* images.")
share = nearly_lost(reading.before, rbc.task.S)
print(f"{share:.0%} of the images are classified correctly and have a gradient")

# %% [markdown]
# ## Exercise 2 · The weakest bit (8 minutes)
#
# Which of the four bits does the attack on the margin flip most often? `rbc.read(...)` gives outputs `(N, 4)`, and a
# bit is 1 where its output is positive. Compare before and after, and put the bit's position (0 to 3) into `weakest`.
#
# *Hint.* Section 2 has the outputs before the attack and the attacked images. You need one share for each of the four
# bits.

# %% tags=["exercise"]
weakest = None  # 0, 1, 2 or 3

# %% tags=["solution"]
flipped = ((rbc.read(x) > 0) != (rbc.read(aimed.images) > 0)).float().mean(dim=0)  # (4,)
weakest = int(flipped.argmax())

# %% tags=["check"]
flips = ((clean > 0) != (rbc.read(aimed.images) > 0)).float().mean(dim=0)
assert isinstance(weakest, int) and weakest in range(4), "Exercise 2: `weakest` should be a position from 0 to 3."
assert flips[weakest] == flips.max(), "Exercise 2: another bit flips more often. Did you compare the signs?"

# %% [markdown]
# ## The same in the app
#
# The page "Outputs" draws these histograms for several systems side by side, bit by bit and class by class.

# %%
systems = tuple(f"{DATA}-{key}" for key in ("rbc-s10", "rbc-s100", "rbc"))
print(Scenario(data=DATA, systems=systems, eps=EPS, n=len(test)).link("outputs"))

# %% [markdown]
# ## Questions (5 minutes)
#
# 1. After an attack, all bars lie exactly on the grey line. Name two explanations.
# 2. Doubling S doubles all margins. Why does that not make the system harder to attack?
# 3. When is None a better answer than a wrong class, and when is it as bad?
#
# <details><summary>Answers</summary>
#
# 1. The images did not move (no gradient), or ε is 0. The share of zero gradients tells them apart.
# 2. The slopes of the outputs double as well, so the change of the *image* that is needed to reach the change of sign
#    stays the same.
# 3. None is better where somebody can look again. It is as bad where an answer is needed at once and an attacker wants
#    to prevent it.
# </details>
#
# ## Further reading
#
# - [@athalye2018]
# - [@dietterich1995]
