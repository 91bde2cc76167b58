# %% [markdown]
# # 7 · The effect of S: what a larger margin does, and what only looks like it
#
# **After this notebook you can**
#
# - show, on paper and bit for bit, that RBC's S cancels out when the output layer is scaled along with it;
# - distinguish what S does as part of the *code* from what it does to the *optimisation*;
# - compare systems with a paired test, and say why one system of each kind is not enough.
#
# | time | you need | runs in |
# | --- | --- | --- |
# | 45 minutes | notebooks 00, 01 and 03 | about 20 seconds, 16 with `FAST` (MNIST: 50) |
#
# Small networks are trained here, on 1,000 images, in a second or two each.

# %% tags=["parameters"]
FAST = False  # True: fewer epochs and images, for a quick look
SEED = 0  # of everything random
DATA = "digits"  # or "mnist", once `tasklab data mnist` has downloaded it

# %%
import json
from pathlib import Path

import torch
from torch import nn

from tasklab import PGD, RBC, Recipe, System, attack, fit, load, load_data, new_system, zoo
from tasklab.attacks import FAB
from tasklab.evaluation import Share, mcnemar
from tasklab.experiments.scenario import Scenario
from tasklab.figures.training import sweep_figure
from tasklab.models.fast import PLAIN
from tasklab.paper.grid import cells_of
from tasklab.paper.records import from_hex, read_record

# %%
train = load_data(DATA, "train").subset(1000)
test = load_data(DATA, "test").subset(100 if FAST else 300)
x, y = test.x(), test.labels
record = json.loads((zoo.folder() / "course_seeds.json").read_text(encoding="utf-8"))  # several seeds; see section 4

# %% [markdown]
# ## 1 · The claim
#
# RBC's training loss asks every bit to be at least S on its side: $\lVert\mathrm{relu}(S - z\,s)\rVert^2$.
# The paper varies S and concludes: "with increasing S, the robust binary-label classification achieves higher test
# accuracy and robustness", because "S determines the margin between different categories".
#
# Write the network's output as $z = S \cdot h(x)$: the last layer is multiplied by S. Then
#
# $$\frac{1}{S^2}\,\lVert\mathrm{relu}(S - S\,h\,s)\rVert^2 = \lVert\mathrm{relu}(1 - h\,s)\rVert^2 .$$
#
# **Predict.** What is left of S on the right-hand side?

# %%
h = torch.randn(1000, 4, generator=torch.Generator().manual_seed(SEED))
labels = torch.arange(1000) % 10
for S in (1, 10, 350):
    print(f"S = {S:3}: the mean of loss / S² is {float((RBC(S=S).loss(S * h, labels) / S**2).mean()):.6f}")

# %% tags=["check"]
small, large = RBC(S=10).loss(10 * h, labels) / 10**2, RBC(S=350).loss(350 * h, labels) / 350**2
assert torch.allclose(small, large, rtol=1e-4), "The loss should be the same function of h, whatever S is."

# %% [markdown]
# ## 2 · Twins
#
# So let us train two networks that start from the same weights, see the same images in the same order, and differ only
# in S: 16 and 256. In tasklab the output layer is scaled by S and the loss divided by S², unless you ask otherwise.
#
# **Predict.** How do their outputs compare on the same test image?

# %%
guess = ""  # for example "the same", "16 times as large", "unrelated"

# %%
EPOCHS = 4 if FAST else 8


def trained(S, parametrisation="scaled"):
    system = new_system(RBC(S=S, parametrisation=parametrisation), train, width=16, seed=SEED)
    for _event in fit(system, train, Recipe(epochs=EPOCHS, batch_size=32, seed=SEED)):
        pass
    return system


twins = {S: trained(S) for S in (16, 256)}
for S, system in twins.items():
    correct = int((system.predict(x) == y).sum())
    print(f"S = {S:3}: {correct} of {len(y)} classified correctly, first outputs {system.read(x[:1])[0].tolist()}")

# %% tags=["check"]
small, large = (system.read(x) for system in twins.values())
assert torch.equal(16 * small, large), (  # ✓1
    "256 / 16 = 16, exactly: a factor that is a power of two does not even round.")
assert all(float((s.predict(x) == y).float().mean()) > 0.7 for s in twins.values()), "Both should have learned."

# %% [markdown]
# <details><summary>What you should see</summary>
#
# The outputs are exactly 16 times as large, in every digit of every number: it is *the same network* with larger
# numbers [✓1]. Its margins are 16 times as large, too, and both networks give the same answer to every image.
# </details>
#
# ## 3 · Attack the twins
#
# **Predict.** PGD, ε = 0.1: which of the two keeps the higher accuracy? Answer for the training loss, and for the
# margin.

# %%
guess = {"training loss": "", "margin": ""}  # "16", "256" or "neither"

# %%
def under_attack(system, objective, eps=0.1):
    pgd = PGD(eps=eps, steps=10, random_start=False, objective=objective, plan=PLAIN)
    return attack(system, x, y, pgd)


for objective in ("train", "margin"):
    for S, system in twins.items():
        result = under_attack(system, objective)
        print(f"{objective:6} S = {S:3}: accuracy {result.accuracy:.1%}, no gradient on "
              f"{result.share(result.zero_gradient):.1%} of the images that were classified correctly before")

# %% tags=["check"]
for objective in ("train", "margin"):
    one, other = (under_attack(system, objective) for system in twins.values())
    assert torch.equal(one.decoded, other.decoded), (  # ✓2
        "Under attack the twins should give the same answers.")

# %% [markdown]
# <details><summary>What you should see</summary>
#
# There is no difference at all [✓2]. PGD takes the *sign* of the gradient, so a factor in front of the loss does not
# matter. The training loss is 0 on the same images, and the margin changes its sign at the same pixel values. As part
# of the *code*, S does nothing.
# </details>
#
# ## 4 · And yet there is an effect of S
#
# It appears when the output layer is not rescaled. With `parametrisation="paper"` that layer starts as it is
# initialised, with outputs near 0, and has to grow until the bits reach ±S. Everything else stays the same: recipe,
# number of epochs, seed.
#
# **Predict.** For S = 1, 16, 64 and 256: do these accuracies rise or fall with S? The accuracy without an attack, under
# an attack on the training loss, and under an attack on the margin.

# %%
guess = {"clean": "", "training loss": "", "margin": ""}  # "rises", "falls", "stays"

# %%
points = {}
for S in (1, 16, 64, 256):
    system = trained(S, "paper")
    own, aimed = under_attack(system, "train"), under_attack(system, "margin")
    points[S] = {
        "accuracy": float((system.predict(x) == y).float().mean()), "robust_accuracy": aimed.accuracy,
        "own_loss_accuracy": own.accuracy, "own_loss_zero_gradient": own.share(own.zero_gradient),
    }
sweep_figure(points)

# %% tags=["check"]
small, large = points[1], points[256]
assert small["own_loss_zero_gradient"] > large["own_loss_zero_gradient"] + 0.2, "At S = 1 many images are fitted."
assert large["own_loss_zero_gradient"] < 0.05, "At S = 256 hardly any is fitted: the bits have not reached S."
assert small["own_loss_accuracy"] > large["own_loss_accuracy"] + 0.1, "It falls with the share of fitted images."
assert large["accuracy"] < small["accuracy"] + 0.05, "A larger S should not have raised the accuracy."

# %% [markdown]
# The curve of the attack on the margin may go the *other* way. One training run could be chance, so here are four seeds
# of each, on digits (made by `python -m tests.benchmarks.course_seeds` in a clone of tasklab). *Worst* is the accuracy
# that the attacks on the margin, on each bit in turn, and on the training loss leave together.

# %%
sweep = {(row["variant"], row["seed"]): row for row in record["S"]}
SEEDS, VALUES = (sorted({key[i] for key in sweep}) for i in (1, 0))
for S in VALUES:
    columns = {what: " ".join(f"{100 * sweep[S, seed][what]:3.0f}" for seed in SEEDS)
               for what in ("clean", "own_loss", "zero_gradient", "margin", "worst")}
    print(f"S = {S:3}, in %:  " + "   ".join(f"{what} {numbers}" for what, numbers in columns.items()))
for seed in SEEDS:
    one, sixteen = (from_hex(sweep[S, seed]["standing"], 400) for S in (1, 16))
    print(f"seed {seed}: S = 1 against S = 16 in the worst case, on the same images: p = {mcnemar(one, sixteen):.1e}")

# %% tags=["check"]
for seed in SEEDS:
    worst = [sweep[S, seed]["worst"] for S in (1, 4, 16, 64)]
    assert worst == sorted(worst), "From S = 1 to 64 the worst case rises with S, on every seed."  # ✓4
    assert mcnemar(*(from_hex(sweep[S, seed]["standing"], 400) for S in (1, 16))) < 0.001, "And not by chance."  # ✓6
    assert sweep[64, seed]["own_loss"] < sweep[1, seed]["own_loss"] - 0.3, "While the published number falls."  # ✓3
    assert sweep[256, seed]["clean"] < sweep[1, seed]["clean"] - 0.1, "S = 256 is not learned in 8 epochs."  # ✓5
ends = {S: [round(100 * sweep[S, seed]["worst"]) for seed in SEEDS] for S in (1, 64)}
assert (min(ends[1]), max(ends[1]), min(ends[64]), max(ends[64])) == (1, 6, 13, 21)  # ✓4
assert max(sweep[256, seed]["clean"] for seed in SEEDS) < 0.81  # ✓5

# %% [markdown]
# <details><summary>What you should see</summary>
#
# There are two effects, in opposite directions, on all four seeds:
#
# - the accuracy under the attack on the *training loss* falls by more than 30 points from S = 1 to S = 64 [✓3]. It
#   follows the share of images that are fitted to a loss of exactly 0: in 8 epochs a large S is not reached, so the
#   attack finds a gradient again;
# - the accuracy under attacks on the *decision* rises, from 1–6 % at S = 1 to 13–21 % at S = 64 [✓4]. At S = 256 the
#   network is hardly trained: its clean accuracy is below 81 %, and the rise comes to an end [✓5].
#
# So the paper's Figure 4 shows something real: robustness can rise with S. The numbers stay low, but the rise is more
# than chance [✓6]. The question is whether the margin in the code causes it.
# </details>
#
# ## 5 · The code, or the optimisation?
#
# Section 1 says that $z = S \cdot h$ turns RBC with any S into RBC with S = 1. Without scaling, two things distinguish
# S = 16 from S = 1: measured in units of S, the output layer *starts* with weights 16 times smaller, and each step of
# the optimiser (Adam's steps do not depend on the size of the gradient) changes them by 16 times *less*. So take S = 1,
# and do exactly that to the head, the output layer: divide its initial weights by 16 and its learning rate by 16.
#
# **Predict.** How do the outputs of the two networks compare after training?

# %%
guess = ""

# %%
def trained_by_hand(S, smaller=1, slower=1):
    system = new_system(RBC(S=S, parametrisation="paper"), train, width=16, seed=SEED)
    head, trunk = list(system.network.head.parameters()), list(system.network.trunk.parameters())
    for weights in head:
        weights.data /= smaller
    groups = [{"params": trunk}, {"params": head, "lr": 1e-3 / slower}]
    optimizer, order = torch.optim.Adam(groups, lr=1e-3, eps=1e-20), torch.Generator().manual_seed(SEED)
    for _epoch in range(EPOCHS):
        for rows in torch.randperm(len(train), generator=order).split(50):
            loss = system.task.loss(system.network(images[rows]), train.labels[rows]).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return system

# %%
images = train.x()
unscaled, slow_head = trained_by_hand(16), trained_by_hand(1, smaller=16, slower=16)
for name, system in (("S = 16", unscaled), ("S = 1, slow head", slow_head)):
    print(f"{name:17} first outputs {[round(value, 4) for value in system.read(x[:1])[0].tolist()]}")

# %% tags=["check"]
assert torch.equal(unscaled.read(x), 16 * slow_head.read(x)), "It should be the same network again, bit for bit."

# %% [markdown]
# It is the same network again. So the rise in section 4 is an effect of *how the head starts and how fast it learns*.
# You can have all of it with S = 1, and none of it with S = 16 if the layer is scaled (section 2). Does the start
# matter, or the learning rate? Here are four seeds, all with S = 1:

# %%
heads = {(row["variant"], row["seed"]): row for row in record["head"]}
VARIANTS = list(dict.fromkeys(name for name, _ in heads))
for name in VARIANTS:
    columns = " ".join(f"{100 * heads[name, seed]['worst']:3.0f}" for seed in SEEDS)
    print(f"head {name:23} worst case, in %: {columns}")

# %% tags=["check"]
for seed in SEEDS:
    as_it_is, both = (from_hex(heads[name, seed]["standing"], 400) for name in ("as it is", "both"))
    assert mcnemar(as_it_is, both) < 0.02 and both.sum() > as_it_is.sum(), "Both together raise the worst case."
    assert heads["both", seed]["worst"] == max(heads[name, seed]["worst"] for name in VARIANTS), (  # ✓7
        "No less than either.")
    assert heads["both", seed]["zero_gradient"] < 0.01 < 0.6 < heads["as it is", seed]["zero_gradient"]  # ✓8
together = [round(100 * heads["both", seed]["worst"]) for seed in SEEDS]
assert (min(together), max(together)) == (6, 13)  # ✓9

# %% [markdown]
# <details><summary>What you should see</summary>
#
# A small start alone gains a few points at most, and slow learning alone gains nothing; both together gain the most on
# every seed [✓7]. What they do together is to leave the system further from being fitted when training ends: hardly any
# image has a loss of 0 then, against more than 60 % of the images otherwise [✓8]. These numbers do not say why such a
# system is a little harder to attack. But the effect is one of optimisation. Nothing in it needs a larger margin, and
# an accuracy of 6 to 13 % is hardly a defence [✓9].
# </details>
#
# ## 6 · The shipped systems
#
# Three RBC systems come with tasklab, fully trained with S = 10, 100 and 350 and a scaled output layer. Each accuracy
# is printed with its 95 % interval.
#
# **Predict.** Does the accuracy under the attack on the margin differ between them? How would you find out?

# %%
stand, shares = {}, {}
for S, name in ((10, "rbc-s10"), (100, "rbc-s100"), (350, "rbc")):
    for objective in ("train", "margin", "bits"):
        stand[S, objective] = under_attack(load(f"{DATA}-{name}"), objective).decoded == y
        shares[S, objective] = Share.of(stand[S, objective])
        print(f"S = {S:3}, {objective:6}: accuracy {shares[S, objective]} %")
for objective in ("margin", "bits"):
    for a, b in ((10, 100), (10, 350), (100, 350)):
        print(f"{objective:6}, S = {a} against {b}: p = {mcnemar(stand[a, objective], stand[b, objective]):.3f}")

# %% tags=["check"]
for S in (10, 100):
    low, high = shares[S, "margin"].interval
    base_low, base_high = shares[350, "margin"].interval
    assert low <= base_high and base_low <= high, "The intervals overlap, …"
if DATA == "digits" and not FAST:
    assert all(mcnemar(stand[100, "margin"], stand[S, "margin"]) < 0.05 for S in (10, 350)), "… and two pairs differ."
    assert shares[100, "margin"].value > max(shares[S, "margin"].value for S in (10, 350))
if DATA == "digits":
    assert all(mcnemar(stand[a, "bits"], stand[b, "bits"]) > 0.05 for a, b in ((10, 100), (10, 350), (100, 350)))

# %% [markdown]
# Overlapping intervals do *not* show that two systems are equally good. All systems saw the same images, so the test
# must be paired (it is McNemar's, which notebook 08 explains), and on 300 digits it finds S = 100 ahead of both others
# under `margin`, with p below 0.05. Under the stronger attack `bits` that difference disappears. But suppose that it
# had not disappeared. Would it be an effect of S? Compare three systems that *all* have S = 350, were retrained on
# Gaussian noise by one recipe, and differ only in the seeds of their training runs.

# %%
same_S = [read_record(Path("runs/paper/cells"), cell) for seed in (0, 1, 2)
          for cell in cells_of("table2", ["digits"], ["small_cnn"], seed=seed) if cell.method.name == "RBC+GN"]
bits = [next(f.images for f in r.findings if f.asked["kind"] == "bits" and f.asked["eps"] == 0.1) for r in same_S]
print("S = 350, seeds 0, 1, 2:", ", ".join(Share.of(standing).percent(0) for standing in bits))
print("p =", ", ".join(f"{mcnemar(bits[a], bits[b]):.1e}" for a, b in ((0, 1), (0, 2), (1, 2))))

# %% tags=["check"]
assert mcnemar(bits[0], bits[1]) < 0.001 and mcnemar(bits[2], bits[1]) < 0.001, "Seeds alone make a difference."  # ✓10
assert min(float(bits[a].float().mean() - bits[1].float().mean()) for a in (0, 2)) > 0.09  # ✓10

# %% [markdown]
# <details><summary>What you should see</summary>
#
# One seed leaves an accuracy that is more than nine points lower than that of the two others, with a tiny p, although S
# is the same [✓10]. McNemar's test tells whether two *systems* differ on images like these. Whether two *recipes*
# differ can only be told from several systems of each, as in section 4.
# </details>

# %% [markdown]
# ## Exercise 1 · A larger S without training (8 minutes)
#
# Turn the shipped system with S = 10 into one with S = 350, *without training*. It must classify every test image as
# before, and every margin must be 35 times as large.
#
# *Hint.* `nn.Sequential(a, b)` applies b after a. What has to happen to the outputs? Only the line in `forward` has to
# change. Run the whole cell again, so that `stretched` is made with your layer.

# %% tags=["exercise"]
ten = load(f"{DATA}-rbc-s10")


class Stretch(nn.Module):
    def forward(self, z):
        return z  # replace this line


stretched = System(nn.Sequential(ten.network, Stretch()), RBC(S=350))

# %% tags=["solution"]
class Stretch(nn.Module):
    def forward(self, z):
        return 35 * z


stretched = System(nn.Sequential(ten.network, Stretch()), RBC(S=350))

# %% tags=["check"]
before, after = ten.margins(x).detach(), stretched.margins(x).detach()
assert torch.equal(ten.predict(x), stretched.predict(x)), "Exercise 1: it should classify every image as before."
ratio = after / before
assert bool((ratio / 35 - 1).abs().max() < 0.001), (
    f"Exercise 1: every margin should be 35 times as large; yours are {float(ratio.min()):.3g} to "
    f"{float(ratio.max()):.3g} times as large.")
assert stretched.task.S == 350, f"Exercise 1: the task should have S = 350; yours has {stretched.task.S:g}."
assert torch.equal(under_attack(ten, "margin").fooled, under_attack(stretched, "margin").fooled)

# %% [markdown]
# ## Exercise 2 · How far is the boundary, in pixels? (8 minutes)
#
# `FAB` looks for the *nearest* misclassified image, without any ε. `attack(system, x, y, FAB(steps=20)).distance`
# holds, for each image, the largest change of any pixel that was needed. Find the median distance over the first 20
# test images for the shipped systems with S = 10 and S = 350.
#
# *Hint.* Section 6 shows how the systems are called. A tensor has a `.median()`.

# %% tags=["exercise"]
nearest = {10: None, 350: None}  # the median distance for each S

# %% tags=["solution"]
nearest = {}
for S, name in ((10, "rbc-s10"), (350, "rbc")):
    result = attack(load(f"{DATA}-{name}"), x[:20], y[:20], FAB(steps=20))
    nearest[S] = float(result.distance.median())
nearest

# %% tags=["check"]
assert set(nearest) == {10, 350} and None not in nearest.values(), "Exercise 2: set nearest[10] and nearest[350]."
for S, name in ((10, "rbc-s10"), (350, "rbc")):
    measured = float(attack(load(f"{DATA}-{name}"), x[:20], y[:20], FAB(steps=20)).distance.median())
    assert abs(float(nearest[S]) / measured - 1) < 0.1, (
        f"Exercise 2: for S = {S} FAB finds another median than {float(nearest[S]):.3g}. Is it the right system, the "
        "first 20 images, and `.distance` in units of pixels?")
print(f"S is 35 times as large; the distance is {nearest[350] / nearest[10]:.2f} times as large")

# %% [markdown]
# ## The same in the app
#
# The page "Train" trains systems with several S for you; the attack lab shows the three shipped systems side by side.

# %%
systems = tuple(f"{DATA}-{key}" for key in ("rbc-s10", "rbc-s100", "rbc"))
print(Scenario(data=DATA, systems=systems).link("train"))
print(Scenario(data=DATA, systems=systems).link("attack_lab"))

# %% [markdown]
# ## Questions (5 minutes)
#
# 1. Multiply all outputs of an RBC system by 1,000. What happens to its margins, its answers, and its training loss?
# 2. Two curves over S look alike: accuracy under PGD on the training loss, and the share of images with zero gradient.
#    Explain.
# 3. INT has α and β. Which part of the argument of this notebook carries over, and which does not?
# 4. How would you compare S = 10 and S = 350 fairly?
#
# <details><summary>Answers</summary>
#
# 1. The margins are 1,000 times as large, and the answers stay the same. The loss becomes exactly 0 where every bit now
#    reaches S, so there is more masking.
# 2. A correct image without a gradient is returned as it was, and counted as correct. Most of the others are lost.
# 3. Stretching the whole line, α and β together, changes nothing. Their *ratio* matters: it decides how often the
#    answer is None.
# 4. Scale the output layer with S (or search the learning rate for each S, with the same effort), train several seeds
#    of each, attack the decision, and compare on the same images.
# </details>
#
# ## Further reading
#
# - [@han2020] The section "Impact of S" and Figure 4.
# - [@tsipras2019] The claim that the paper sets out to answer.
# - [@moosavi2016] Distances to decision boundaries.
# - [@croce2020fab] FAB.
