# %% [markdown]
# # 2 · Training with an S, α and β of your choice
#
# **After this notebook you can**
#
# - train a system for any task, watch it epoch by epoch, stop it, and resume it;
# - read the curves of a training run under two attacks, and say what each of them measures;
# - choose α, β and a learning rate on *validation* images, and say why "the same recipe" is not a fair comparison.
#
# | time | you need | runs in |
# | --- | --- | --- |
# | 50 minutes | notebooks 00 and 01 | about 20 seconds, 16 with `FAST` (MNIST: 40) |
#
# We train small networks on 1,000 images, so that every training run takes a second or two.

# %% tags=["parameters"]
FAST = False  # True: fewer epochs, for a quick look
SEED = 0  # of everything random
DATA = "digits"  # or "mnist", once `tasklab data mnist` has downloaded it

# %%
import dataclasses
import tempfile

import torch

from tasklab import INT, RBC, TRA, Recipe, fit, load, load_data, new_system
from tasklab.evaluation import outcomes
from tasklab.experiments.scenario import Scenario
from tasklab.figures import decision_histogram, outcome_stack, read_decisions
from tasklab.figures.training import training_figure
from tasklab.training import EpochEvent, Watch, start_from

train = load_data(DATA, "train").subset(1000)
validation = load_data(DATA, "validation").subset(200)
test = load_data(DATA, "test").subset(200)
EPOCHS = 4 if FAST else 10

# %% [markdown]
# ## 1 · A task, a network, a recipe
#
# A training run needs three decisions: the *task* (what the network should answer), the *network* itself, and the
# *recipe* (how it learns). Each is a value that you can print, compare and keep.

# %%
task = RBC(S=350)
recipe = Recipe(epochs=EPOCHS, batch_size=32, seed=SEED)
print(task, recipe, sep="\n\n")

# %% [markdown]
# `fit` is a generator: it yields an *event* after each step and each epoch, and you stop a training run by no longer
# asking for events. `Watch` runs two attacks on validation images after each epoch: one on the training loss, and one
# on the margin.
#
# **Predict.** Draw three curves over the epochs: the accuracy without an attack, under the attack on the training loss,
# and under the attack on the decision (the margin), both at ε = 0.1.

# %%
def trained(task, recipe, watch=None):
    system = new_system(task, train, width=16, seed=SEED)
    events = fit(system, train, recipe, validation=validation, watch=watch)
    return system, [dataclasses.asdict(event) for event in events if isinstance(event, EpochEvent)]


watch = Watch(eps=0.1, steps=5, images=100)
rbc, rbc_epochs = trained(task, recipe, watch)
training_figure(rbc_epochs)

# %% tags=["check"]
first, last = rbc_epochs[0], rbc_epochs[-1]
assert last["accuracy"] > 0.8, "It should have learned."
assert last["own_loss_accuracy"] > first["own_loss_accuracy"] + 0.2, (  # ✓1
    "The accuracy under PGD should rise with training.")
assert last["robust_accuracy"] < last["own_loss_accuracy"] - 0.2, "The margin curve should stay far below."  # ✓3
assert abs(last["own_loss_accuracy"] - last["own_loss_zero_gradient"] * last["accuracy"]) < 0.15  # ✓2

# %% [markdown]
# <details><summary>What you should see</summary>
#
# The curve of the attack on the training loss *rises* with training [✓1]. Does training make RBC robust? The grey area
# gives the explanation: it is the share of images on which the loss has become exactly 0, so that this attack has
# nothing to climb [✓2]. The curve of the attack on the decision does not rise like that [✓3]. Notebook 08 takes this
# apart.
# </details>
#
# ## 2 · The same training run for TRA
#
# The paper's Figure 2 compares how fast TRA and RBC converge.
#
# **Predict.** For TRA, how far apart will the curves of the two attacks be?

# %%
tra, tra_epochs = trained(TRA(), recipe, watch)
training_figure(tra_epochs)

# %% tags=["check"]
last = tra_epochs[-1]
print(f"after {EPOCHS} epochs: TRA {last['accuracy']:.1%}, RBC {rbc_epochs[-1]['accuracy']:.1%} on validation images")
assert last["accuracy"] > 0.85
assert abs(last["own_loss_accuracy"] - last["robust_accuracy"]) < 0.15, (  # ✓4
    "For TRA both attacks should give about the same accuracy.")
assert last["own_loss_zero_gradient"] == 0, "Cross-entropy always has a gradient here."  # ✓4 ✓5
assert last["accuracy"] > rbc_epochs[-1]["accuracy"] - 0.03, "TRA learns as fast as RBC does."  # ✓5

# %% [markdown]
# <details><summary>What you should see</summary>
#
# The two curves nearly coincide, and every image has a gradient [✓4]. TRA learns at least as fast as RBC here [✓5].
# "The same recipe" is not a fair comparison, though: a learning rate that suits one loss may not suit another. See
# exercise 1.
# </details>
#
# ## 3 · Where do the outputs go?
#
# RBC's loss asks every bit to reach S. The figure shows the margin of the worst bit of each test image after training.
# The dotted line is S.

# %%
decision_histogram(read_decisions(rbc.task, rbc.read(test.x()), None, test.labels), legend=True)

# %% tags=["check"]
margins = rbc.task.codec.margins(rbc.read(test.x())).gather(1, test.labels[:, None]).squeeze(1)
beyond = float((margins >= 350).float().mean())
print(f"{beyond:.1%} of the test images have every bit beyond S")
assert beyond > 0.3, "Many images should have reached S."

# %% [markdown]
# ## 4 · α and β: how wide is a gap?
#
# INT has 20 units of the line for each class, divided between an interval (β) and a gap (α). An image whose number
# falls into a gap is read as None. We look at the *validation* images, because whoever chooses α and β must not have
# seen the test images.
#
# **Predict.** For α = 0, 4, 10 and 16 (and β = 20 − α): how does the share of None change? And the share of wrong
# answers?

# %%
guess = {"None": "", "wrong": ""}  # "grows", "shrinks", "stays"

# %%
rows = []
for alpha in (0, 4, 10, 16):
    gap = INT(alpha=alpha, beta=20 - alpha)
    system, _ = trained(gap, dataclasses.replace(recipe, lr=0.01))
    rows.append((f"α = {alpha}, β = {20 - alpha}", outcomes(system.predict(validation.x()), validation.labels)))
outcome_stack(rows, legend=True)

# %% tags=["check"]
alarm = [outcome.alarm.value for _, outcome in rows]
wrong = [outcome.error.value for _, outcome in rows]
assert alarm[0] < 0.05 and alarm[-1] > alarm[1] + 0.2, "The share of None should grow with the gap."  # ✓6
assert wrong[-1] < wrong[0], "With wide gaps fewer images should be silently wrong."  # ✓6
assert rows[-1][1].accuracy.value < rows[0][1].accuracy.value - 0.1, "And fewer should be correct."  # ✓6

# %% [markdown]
# <details><summary>What you should see</summary>
#
# Wide gaps turn wrong answers into alarms, but they do the same to many correct ones [✓6]. With α = 0 there are no gaps
# at all, and INT cannot say None between two classes. Choosing α means choosing between two kinds of failure.
#
# INT learns slowly: one number has to separate ten classes, in their order along the line. The shipped INT systems do
# not start with fresh weights. They continue from a fitted TRA, whose features separate the classes already
# (`tasklab.training.start_from`; see exercise 2).
# </details>
#
# ## 5 · Stop and resume
#
# Long training runs get interrupted. If `fit` is given a folder as its `run`, training resumes where it stopped, and
# its result is the same *bit for bit* as without the interruption.

# %%
short = dataclasses.replace(recipe, epochs=3)
with tempfile.TemporaryDirectory() as folder:
    system = new_system(TRA(), train, width=16, seed=SEED)
    for event in fit(system, train, short, run=folder):
        if event.epoch == 2:
            break  # somebody pulls the plug at the first step of epoch 2
    print(f"stopped in epoch {event.epoch}, at step {event.step} of {event.steps}")
    resumed = new_system(TRA(), train, width=16, seed=SEED)
    steps = sum(1 for event in fit(resumed, train, short, run=folder) if not isinstance(event, EpochEvent))
print(f"resumed for {steps} steps")

# %% tags=["check"]
whole = new_system(TRA(), train, width=16, seed=SEED)
for _event in fit(whole, train, short):
    pass
assert torch.equal(whole.read(test.x()), resumed.read(test.x())), "Interrupted or not, the outputs are the same."

# %% [markdown]
# ## Exercise 1 · A learning rate for INT (10 minutes)
#
# Train INT (α = 4, β = 16) with each learning rate of `rates` for 4 epochs (batch size 32, seed `SEED`). Note the best
# accuracy of each training run on the *validation* images in `scores`, and choose a rate.
#
# *Hint.* `trained(task, recipe)` returns the system and its epochs; each epoch is a dict with an `"accuracy"`.

# %% tags=["exercise"]
rates = [1e-4, 1e-3, 1e-2, 1e-1]
scores = {}  # by rate: the best validation accuracy
best_rate = None

# %% tags=["solution"]
for rate in rates:
    _, epochs = trained(INT(), Recipe(epochs=4, batch_size=32, lr=rate, seed=SEED))
    scores[rate] = max(epoch["accuracy"] for epoch in epochs)
best_rate = max(scores, key=scores.get)
scores

# %% tags=["check"]
assert set(scores) == set(rates), "Exercise 1: `scores` should have one accuracy for each of the four rates."
assert best_rate == max(scores, key=scores.get), "Exercise 1: `best_rate` should be the rate with the highest score."
_, epochs = trained(INT(), Recipe(epochs=4, batch_size=32, lr=best_rate, seed=SEED))
best_score = max(epoch["accuracy"] for epoch in epochs)
assert abs(scores[best_rate] - best_score) < 0.01, (
    f"Exercise 1: with rate {best_rate:g} the best accuracy is {best_score:.1%}, not {scores[best_rate]:.1%}. Is it "
    "the best of 4 epochs, with batch size 32 and on the validation images?")
assert scores[best_rate] > scores[1e-4] + 0.1, "Exercise 1: some larger rate should do clearly better than 1e-4."
print("Why validation and not test images? Whoever chooses on the test images has seen them.")

# %% [markdown]
# ## Exercise 2 · Two kinds of failure (10 minutes)
#
# Few alarms are easy to get if you do not mind wrong answers. Choose α and β with α + β = 20 so that on the
# *validation* images INT says None on less than 15 % **and** is silently wrong on less than 5 %. This time it
# continues from a fitted TRA: `continued` trains the INT of your choice that way.
#
# *Hint.* Try an α between two of those in section 4, look at both kinds of failure, and decide in which direction to
# go.

# %%
def continued(alpha, beta):
    system = start_from(load(f"{DATA}-tra"), INT(alpha=alpha, beta=beta), train)
    system.network.requires_grad_(True)
    for _event in fit(system, train, Recipe(epochs=4, batch_size=32, lr=0.003, seed=SEED)):
        pass
    return system

# %% tags=["exercise"]
alpha, beta = 0, 20  # choose others

# %% tags=["solution"]
alpha, beta = 10, 10

# %% tags=["check"]
assert alpha > 0, "Exercise 2: α should be above 0, so that there are gaps between the intervals."
assert alpha + beta == 20, "Exercise 2: α + β should be 20."
chosen = continued(alpha, beta)
on_validation = outcomes(chosen.predict(validation.x()), validation.labels)
assert on_validation.alarm.value < 0.15, (
    f"Exercise 2: INT says None on {on_validation.alarm.value:.0%} of the images. Try a narrower gap.")
assert on_validation.error.value < 0.05, (
    f"Exercise 2: INT is silently wrong on {on_validation.error.value:.0%} of the images. Try a wider gap, which turns "
    "errors into alarms.")
on_test = outcomes(chosen.predict(test.x()), test.labels)
print(f"on the test images, at the very end: correct {on_test.accuracy} %, None {on_test.alarm} %, "
      f"wrong {on_test.error} %")

# %% [markdown]
# ## The same in the app
#
# The page "Train" shows these curves live, stops and resumes training, and makes your systems available on every page.

# %%
print(Scenario(data=DATA, systems=(f"{DATA}-tra", f"{DATA}-rbc"), eps=0.1).link("train"))

# %% [markdown]
# ## Questions (5 minutes)
#
# 1. RBC's accuracy under PGD on the training loss rises during training. Give the cause in one sentence.
# 2. Why does INT with a wide gap have fewer wrong answers? What is the price?
# 3. You compare TRA and INT with a learning rate of 0.0001 for both. What is unfair about it?
# 4. On which images may you choose the epoch that is kept, and on which may you not?
#
# <details><summary>Answers</summary>
#
# 1. More and more images have a loss of exactly 0, and there the attack has no gradient.
# 2. Numbers near the end of an interval now fall into a gap, and the answer becomes None. The price is that some
#    correct answers become None, too.
# 3. At that rate TRA learns, and INT learns almost nothing. Each deserves a search of its own, with the same effort.
# 4. On the validation images. The test images are for the final number only.
# </details>
#
# ## Further reading
#
# - [@han2020] Equation 1, and Figure 2 on convergence.
# - [@loshchilov2019] The optimiser used here.
# - [@smith2019] The one-cycle schedule.
