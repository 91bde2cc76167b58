# %% [markdown]
# # 8 · Is it really robust? An investigation
#
# **After this notebook you can**
#
# - find gradient masking in somebody else's result by following clues;
# - distinguish a weak attack from a strong system, with attacks that need no gradient and attacks on the decision;
# - report an accuracy under attack with everything that a reader must know to believe it.
#
# | time | you need | runs in |
# | --- | --- | --- |
# | 60 minutes | notebooks 00, 01 and 03 | about 13 seconds, 8 with `FAST` (MNIST: a minute) |
#
# **The case.** A colleague trained two systems on the same images and attacked both with PGD at ε = 0.2. "TRA's
# accuracy drops to nothing. RBC hardly loses any. Binary codes are robust." You are the reviewer.

# %% tags=["parameters"]
FAST = False  # True: fewer images, for a quick look
SEED = 0  # of everything random
DATA = "digits"  # or "mnist", once `tasklab data mnist` has downloaded it

# %%
import torch
from torch import nn

from tasklab import PGD, TRA, System, attack, evaluate, load, load_data
from tasklab.attacks import Noise, Square
from tasklab.course.words import reading
from tasklab.evaluation import Share, mcnemar, stream_assessment
from tasklab.experiments.scenario import Scenario
from tasklab.figures import accuracy_curves, check_lights, decision_histogram, outcome_stack, read_decisions
from tasklab.models.fast import PLAIN

test = load_data(DATA, "test").subset(100 if FAST else 300)
x, y = test.x(), test.labels
tra, rbc = load(f"{DATA}-tra"), load(f"{DATA}-rbc")

# %% [markdown]
# ## 1 · The claim
#
# First, repeat the claim. PGD climbs each system's own training loss: ten steps, starting at the image, last iterate
# kept.

# %%
def published(eps, objective="train"):
    return PGD(eps=eps, steps=10, random_start=False, keep="last", objective=objective, plan=PLAIN)


claims = {name: evaluate(system, test, [published(0.2)])[1] for name, system in (("TRA", tra), ("RBC", rbc))}
outcome_stack([(f"{name} under the published attack", row.outcomes) for name, row in claims.items()], legend=True)

# %% tags=["check"]
for name, row in claims.items():
    print(f"{name}: accuracy {row.outcomes.accuracy} % (with its 95 % interval), n = {row.n}")
assert claims["TRA"].outcomes.accuracy.value < 0.05 < 0.6 < claims["RBC"].outcomes.accuracy.value

# %% [markdown]
# The numbers can be reproduced. Does the conclusion follow? A small accuracy under attack is a *fact*: the images prove
# it. A large one is a *claim*: "we found no such images". The question is how well anybody has looked for them.
#
# ## 2 · First clue: make ε larger
#
# A larger ball contains more images, so the accuracy should fall as ε grows. At ε = 1 the attacker may replace the
# image with *any other image*.
#
# **Predict.** Sketch the two curves. What is RBC's accuracy at ε = 1?

# %%
guess = None  # RBC at ε = 1, in percent

# %%
radii = (0.02, 0.05, 0.1, 0.2, 0.4, 1.0)
swept = {name: [attack(system, x, y, published(eps)) for eps in radii] for name, system in (("TRA", tra), ("RBC", rbc))}
curves = {
    name: {eps: Share.of(result.decoded == y) for eps, result in zip(radii, results, strict=True)}
    for name, results in swept.items()
}
accuracy_curves(curves, up="classified correctly, %")

# %% tags=["check"]
print("you said", guess, "and RBC keeps", round(100 * swept["RBC"][-1].accuracy), "% where every image is allowed")
assert swept["TRA"][-1].accuracy < 0.05
assert swept["RBC"][-1].accuracy > 0.6, "RBC should still seem untouched at ε = 1."  # ✓2
assert swept["RBC"][2].accuracy - swept["RBC"][-1].accuracy < 0.02, "RBC's curve should be flat from 0.1 on."  # ✓1

# %% [markdown]
# <details><summary>What you should see</summary>
#
# The bands are 95 % intervals. RBC's curve is flat [✓1]. Although *every* image is allowed, most images are still
# classified correctly [✓2]. A working attack could not leave them so, since an image of another digit is within reach.
# So the attack is faulty, whatever the system is.
#
# Compare the paper's Table 1: RBC, ResNet-18, CIFAR-10, FGSM with growing ε: 90.92, 90.91, 90.94.
# </details>
#
# ## 3 · Second clue: did the attack do anything?
#
# **Predict.** Of the images that RBC "defends" at ε = 0.2, which share was changed at all?

# %%
guess = None  # in percent

# %%
result = swept["RBC"][radii.index(0.2)]
kept = result.decoded == y
print(f"{int(kept.sum())} images are still correct; {int((kept & ~result.unmoved).sum())} of them were changed")
print(f"gradient exactly 0 at every step: {int((kept & result.zero_gradient).sum())} of them")

# %% tags=["check"]
assert float((kept & result.unmoved).sum()) > 0.95 * float(kept.sum()), "Nearly all came back unchanged, bit for bit."
assert torch.equal(result.unmoved & kept, result.zero_gradient & kept), "Unmoved, since there was no gradient."

# %% [markdown]
# ## 4 · Third clue: where does the gradient get lost?
#
# Follow the chain: image → outputs → loss. In the figure, the dotted line is S = 350. To the right of it, the worst bit
# of an image has reached its margin.
#
# **Predict.** Which share of the images will lie to the right of that line? You have just seen a similar number.

# %%
clean = rbc.read(x)
decision_histogram(read_decisions(rbc.task, clean, None, y), legend=True)

# %% tags=["check"]
margins = rbc.task.codec.margins(clean).gather(1, y[:, None]).squeeze(1)
loss = rbc.task.loss(clean, y)
assert torch.equal(loss == 0, margins >= rbc.task.S), "The loss is 0 exactly where every bit has its margin S."  # ✓3
assert torch.equal(result.zero_gradient, loss == 0), "And exactly there the attack found no gradient."  # ✓4
print(f"{float((margins >= rbc.task.S).float().mean()):.1%} of the images have a margin ≥ S")
assert float((margins >= rbc.task.S).float().mean()) > 0.5  # ✓3

# %% [markdown]
# <details><summary>What you should see</summary>
#
# Most images lie to the right of S [✓3]. There the loss is $\mathrm{relu}(S - z s)^2 = 0$, its gradient is 0, `sign(0)`
# is 0, and the "adversarial" image is the clean image [✓4]. The accuracy under this attack is little more than the
# share of *well-fitted* images. This is *gradient masking*. Nobody cheated: the loss does exactly what training needs.
# </details>
#
# ## 5 · Without a gradient
#
# If only the gradient is missing, attacks that need none should do better. `Noise` tries random changes of up to ε.
# `Square` also searches at random, but keeps what helps; it looks only at the *value* of the margin.
#
# **Predict.** Rank three attacks by RBC's accuracy under them: PGD on the training loss, noise, Square.

# %%
guess = []  # from the highest accuracy to the lowest

# %%
blind = [Noise(eps=0.2, steps=20, seed=SEED), Square(eps=0.2, steps=200 if FAST else 500, seed=SEED)]
rows = {"PGD, training loss": claims["RBC"]} | {row.attack: row for row in evaluate(rbc, test, blind)[1:]}
outcome_stack([(name, row.outcomes) for name, row in rows.items()], legend=True)

# %% tags=["check"]
left = {name: row.outcomes.accuracy.value for name, row in rows.items()}
assert left["square"] < 0.2 < left["PGD, training loss"], "Random search should beat the attack with gradients."  # ✓5
assert left["noise"] < left["PGD, training loss"] + 0.02, "Even noise should do about as well as PGD."

# %% [markdown]
# <details><summary>What you should see</summary>
#
# An attack that sees *less* breaks *more* [✓5]. Whenever that happens, something is wrong with the attack that sees
# more.
# </details>
#
# ## 6 · Attack the decision
#
# Training asks for margins of S. The attacker needs a margin below 0. So climb minus the margin, with the same PGD, the
# same ε, and the same steps.
#
# **Predict.** What is RBC's accuracy now?

# %%
guess = None  # in percent

# %%
aimed = {name: evaluate(system, test, [published(0.2, "margin")])[1] for name, system in (("TRA", tra), ("RBC", rbc))}
rows = [("RBC, training loss", claims["RBC"]), ("RBC, margin", aimed["RBC"]), ("TRA, training loss", claims["TRA"]),
        ("TRA, margin", aimed["TRA"])]
outcome_stack([(name, row.outcomes) for name, row in rows], legend=True)

# %% tags=["check"]
print("you said", guess, "and it is", aimed["RBC"].outcomes.accuracy, "%")
assert aimed["RBC"].outcomes.accuracy.value < 0.05, (  # ✓6
    "Aimed at the margin, the same PGD should leave next to nothing.")
assert aimed["RBC"].zero_gradient.value == 0 and claims["RBC"].zero_gradient.value > 0.5  # ✓7
assert abs(aimed["TRA"].outcomes.accuracy.value - claims["TRA"].outcomes.accuracy.value) < 0.05  # ✓7

# %% [markdown]
# <details><summary>What you should see</summary>
#
# Next to nothing is left [✓6]. For TRA both objectives give about the same accuracy [✓7]. That is the *positive
# control*: it shows that this attack works where the loss has a gradient. RBC only seemed to differ from TRA because
# the training loss is a good objective for an attack on TRA, and a bad one for an attack on RBC.
# </details>
#
# ## 7 · A fair comparison
#
# At ε = 0.2 both accuracies are near 0, so nothing can be compared there. Take a small ε, *strong* attacks for both,
# and the same images for both. McNemar's test looks only at the images that exactly one of the two systems classifies
# correctly. If both systems were equally good on images like these, each such image would be like the toss of a fair
# coin.
#
# **Predict.** Which of the two keeps the higher accuracy at ε = 0.05?

# %%
strong = [PGD(eps=0.05, steps=20, objective=objective, seed=SEED) for objective in ("margin", "bits", "train")]
worst = {}
for name, system in (("TRA", tra), ("RBC", rbc)):
    found = evaluate(system, test, strong)[1:]
    worst[name] = torch.stack([row.decoded == row.labels for row in found]).all(dim=0)  # correct under all three
    print(f"{name}: accuracy in the worst case found {Share.of(worst[name])} %")
only = {name: int((worst[name] & ~worst[other]).sum()) for name, other in (("TRA", "RBC"), ("RBC", "TRA"))}
print(f"only TRA classifies {only['TRA']} images correctly, only RBC {only['RBC']}: p =",
      round(mcnemar(worst["TRA"], worst["RBC"]), 4))

# %% tags=["check"]
assert worst["RBC"].float().mean() < worst["TRA"].float().mean() + 0.08, "RBC should not be clearly ahead of TRA."  # ✓8
assert worst["RBC"].float().mean() < claims["RBC"].outcomes.accuracy.value, "Less than was claimed at 4 ε."

# %% [markdown]
# <details><summary>What you should see</summary>
#
# RBC is not clearly ahead of TRA [✓8]. What does p say? *If* the two were equally good on images like these, coin
# tosses would be split at least as unevenly as this with probability p. It is not the probability that the difference
# is chance, and a large p does not show that the systems are equal: there may be too few images to tell. Nor does it
# speak of other RBCs: these are two training runs (notebook 07, section 6).
#
# Both numbers are worst cases over three attacks, and still only *upper bounds*: a better attack may come.
# </details>
#
# ### The paper's explanation
#
# Your colleague has read in the paper why RBC should be more robust. Scores are compared with each other, so TRA
# "depends on the relative magnitude" of its outputs. Codes depend "on the actual magnitude", so that an attack changes
# nothing until its "intensity exceeds a specific threshold".
#
# **Predict.** Multiply all outputs by 1,000: whose answers change? And how much of *TRA's* accuracy does an attack on
# the margin take away at ε = 0.01?

# %%
guess = {"change": [], "TRA loses": None}  # names; in percentage points

# %%
same, kept = {}, {}
for name, system in (("TRA", tra), ("RBC", rbc)):
    z = system.read(x)
    same[name] = torch.equal(system.task.codec.decode(1000 * z), system.task.codec.decode(z))
    weak = attack(system, x, y, published(0.01, "margin"))
    kept[name] = int((weak.decoded == y).sum()) / int((weak.clean_decoded == y).sum())
    print(f"{name}: answers unchanged by × 1,000: {same[name]}; still correct at ε = 0.01: {kept[name]:.1%} of the "
          "images that were classified correctly")

# %% tags=["check"]
assert all(same.values()), "Neither depends on actual magnitudes."  # ✓9
assert min(kept.values()) > 0.95, "Both have a threshold."  # ✓11
z = tra.read(x)
ahead = z.gather(1, y[:, None]) - z  # by how much the label's score leads each score
ahead[torch.arange(len(y)), y] = torch.inf
assert torch.equal((ahead > 0).all(dim=1), tra.predict(x) == y), "TRA needs nine correct signs."  # ✓10

# %% [markdown]
# <details><summary>What you should see</summary>
#
# RBC depends on signs, not on magnitudes: multiplied by 1,000, its outputs mean the same [✓9]. TRA depends on signs as
# well, those of the nine differences between the label's score and the others [✓10]. And thresholds are nothing
# special: in every system each image has a distance to the boundary, and below it no attack changes the answer. At ε =
# 0.01 both systems keep nearly all of their images [✓11]. The question is how *large* that distance is, and in section
# 7 RBC was not clearly ahead.
# </details>
#
# ## 8 · All clues at once
#
# tasklab runs nine checks on a claimed result. Here is its assessment of your colleague's number.
#
# **Predict.** Which of your clues will these checks find? Will any check find nothing wrong?

# %%
few = test.subset(60 if FAST else 150)
*_, assessment = stream_assessment(rbc, few, published(0.2), queries=100 if FAST else 300)
check_lights(assessment)

# %% tags=["check"]
verdicts = {check.name: check.level for check in assessment.checks}
print(assessment.sentence)
assert assessment.verdict == "fail"  # ✓12
assert all(verdicts[name] == "fail" for name in ("zero gradient", "unbounded", "adaptive")), verdicts
assert len(assessment.checks) == 9 and verdicts["black box"] == "pass", verdicts  # ✓13

# %% [markdown]
# <details><summary>What you should see</summary>
#
# The verdict is "fail" [✓12]. But the check "black box" passes, although section 5 showed that a black-box attack fools
# RBC on images that the published attack leaves correct [✓13]! There is no contradiction. The check asks another
# question: does an attack *without* gradients fool the system on an image that *every* attack with gradients leaves
# correct? The assessment also ran PGD on the margin, which fools the system on all images on which Square does. So a
# "pass" here speaks for the strongest attacks that were run, not for your colleague's. The check "adaptive" is the one
# that compares your colleague's attack with them.
# </details>

# %% [markdown]
# ## Exercise 1 · A lie detector (8 minutes)
#
# Write `suspicious(result)`: True if more than 10 % of the images that were classified correctly before the attack had
# a zero gradient, or more than 10 % of them came back unmoved; otherwise False.
#
# *Hint.* `result.share(...)` of some images is their share among those that were classified correctly before.

# %% tags=["exercise"]
def suspicious(result):
    return None  # replace this line


# %% tags=["solution"]
def suspicious(result):
    return result.share(result.zero_gradient) > 0.1 or result.share(result.unmoved) > 0.1


# %% tags=["check"]
masked, working, idle = swept["RBC"][3], swept["TRA"][3], attack(tra, x, y, published(0.0))
assert isinstance(suspicious(masked), bool), "Exercise 1: suspicious should return True or False."
assert suspicious(masked), "Exercise 1: the masked attack on RBC is suspicious."
assert not suspicious(working), "Exercise 1: the attack on TRA is not suspicious. It works."
assert suspicious(idle), "Exercise 1: with ε = 0 nothing moves, which is suspicious, although there is a gradient."
drifting = attack(rbc, x, y, PGD(eps=0.05, steps=2, keep="last", objective="train", seed=SEED))
assert suspicious(drifting), (
    "Exercise 1: after a random start every image has moved, but on most of them there still was no gradient.")
strong_system = attack(load(f"{DATA}-tra-at"), x, y, published(0.05))  # hardly loses accuracy, and was attacked
assert strong_system.accuracy > 0.7 and not suspicious(strong_system), (
    "Exercise 1: a high accuracy alone is not suspicious. Look at gradients and at unmoved images.")

# %% [markdown]
# ## Exercise 2 · Make TRA "robust" (8 minutes)
#
# Masking does not happen to codes alone. Wrap TRA's network so that it classifies every image as before, but keeps an
# accuracy above 80 % under the published attack at ε = 0.2. Do not train anything.
#
# *Hint.* Notebook 01 says when cross-entropy has no gradient left in 32-bit numbers: if the largest score leads by more
# than about 104. What can you do to the scores without changing which is the largest?

# %% tags=["exercise"]
class Disguise(nn.Module):
    def forward(self, z):
        return z  # replace this line


masked_tra = System(nn.Sequential(tra.network, Disguise()), TRA())

# %% tags=["solution"]
class Disguise(nn.Module):
    def forward(self, z):
        return 1000 * z


masked_tra = System(nn.Sequential(tra.network, Disguise()), TRA())

# %% tags=["check"]
assert torch.equal(masked_tra.predict(x), tra.predict(x)), "Exercise 2: every image should be classified as before."
disguised = attack(masked_tra, x, y, published(0.2)).accuracy
assert disguised > 0.8, f"Exercise 2: its accuracy is only {disguised:.0%}. Make the leading score lead by more."
exposed = attack(masked_tra, x, y, published(0.2, "margin")).accuracy
assert exposed < 0.05, "Exercise 2: the attack on the margin should still succeed."
print(f"accuracy under attack: training loss {disguised:.0%}, margin {exposed:.0%}; and it is the same network")

# %% [markdown]
# ## Exercise 3 · INT's weak spot (10 minutes)
#
# INT has a single output. `margin` can get stuck: it pushes towards the *nearer* end of the interval only. Attack
# `load(f"{DATA}-int")` with `PGD(eps=0.1, objective=...)` for each objective in the list, and put the one that leaves
# the lowest accuracy into `best`.
#
# *Hint.* A result has an `.accuracy`. Keep the accuracies in a dictionary, by the name of the objective.

# %% tags=["exercise"]
objectives = ["train", "margin", "up", "down", "bits"]
best = None  # replace None: one of the objectives

# %% tags=["solution"]
left = {o: attack(load(f"{DATA}-int"), x, y, PGD(eps=0.1, objective=o, seed=SEED)).accuracy for o in objectives}
best = min(left, key=left.get)
left

# %% tags=["check"]
assert best in objectives, "Exercise 3: `best` should be one of the objectives."
left = {o: attack(load(f"{DATA}-int"), x, y, PGD(eps=0.1, objective=o, seed=SEED)).accuracy for o in objectives}
assert left[best] <= min(left.values()) + 0.005, (
    f"Exercise 3: {best} leaves {left[best]:.1%} correct; another objective in the list leaves less.")
print("'bits' tries both ends of the interval for each image and keeps the more successful attempt")

# %% [markdown]
# ## The same in the app
#
# The page "Really robust?" shows these clues live, with the checks of section 8.

# %%
systems = tuple(f"{DATA}-{key}" for key in ("tra", "rbc"))
print(Scenario(data=DATA, systems=systems, eps=0.2, steps=10, keep="last", n=len(test)).link("robust"))

# %% [markdown]
# ## Questions (5 minutes)
#
# 1. Name three clues that would have made you suspicious *before* you ran anything yourself.
# 2. Why does a large share of zero gradients make an accuracy meaningless, rather than just a little too high?
# 3. Your colleague replies: "Then we attack with 1,000 steps instead of 10." Does that help?
# 4. What has to be reported with an accuracy under attack so that a reader can judge it? List at least five things.
#
# <details><summary>Answers</summary>
#
# 1. A curve that is flat in ε; a stronger attack that leaves more than a weaker one; noise or black-box attacks that do
#    better; an attack that climbs a loss which is 0 on fitted images; no adaptive attack.
# 2. Those images were not attacked. Their share says how well training fitted the system, not what an attacker can do.
# 3. No. 1,000 steps of length 0 end where they began.
# 4. n and an interval; ε and norm; what the attack climbs; steps, step size, restarts; share of zero gradients and of
#    unmoved images; for INT the decoder, and whether None counts as a success; the result of an adaptive attack.
# </details>
#
# ## Further reading
#
# AutoAttack, RobustBench, BPDA, EOT, certificates: the cell below explains these names, with references.
#
# - [@athalye2018] Section 3.1 lists behaviours that give masking away.
# - [@carlini2019] The checklist behind section 8.
# - [@tramer2020] Thirteen defences, thirteen questions.
# - [@andriushchenko2020]
# - [@mcnemar1947]

# %%
reading()
