# %% [markdown]
# # 0 · A tour: one image, four kinds of answer, two attacks
#
# **After this notebook you can**
#
# - read the answers of four kinds of classifier: scores (TRA), bits (DeepBE, RBC), a point on a line (INT);
# - say what an attack *climbs*, and why that is the first question to ask about any attack;
# - distinguish "withstood the attack" from "was never really attacked".
#
# | time | you need | runs in |
# | --- | --- | --- |
# | 25 minutes | what a neural network classifier is | a few seconds, with or without `FAST` |
#
# **How to work.** Each section asks a question, lets you *predict* the answer, and then runs some code. Type your guess
# before you run the next cell. "What you should see" is folded: open it after you have seen the figure. A cell with
# `assert` checks what the text says: a claim that ends with a mark such as [✓1] is backed by the assertion with the
# same mark. Exercises have a hint, a place to write, and a check that tells you when you are done. "Runs in" gives the
# processor time of all cells together; a busy computer takes longer.

# %% tags=["parameters"]
FAST = False  # True: less work, for a quick look
SEED = 0  # of everything random
DATA = "drawn"  # 28×28 pixels, drawn by a program; or "digits" (8×8), or "mnist" once `tasklab data mnist` has run

# %% [markdown]
# ## 1 · One image
#
# Here is a digit that no system has seen in training. Unless you have changed `DATA`, a program has drawn it with the
# strokes of a pen, and the systems were trained on MNIST, the handwriting of hundreds of people. Every pixel is a
# number between 0 (black) and 1 (white).

# %%
from tasklab import PGD, attack, load, load_data
from tasklab.course.words import glossary
from tasklab.data import drawn_digits
from tasklab.experiments.scenario import Scenario
from tasklab.figures import gallery, look_of, outputs_figure, perturbation

IMAGE, EPS = {"drawn": (7, 0.15), "digits": (54, 0.2), "mnist": (22, 0.2)}[DATA]
trained_on = "mnist" if DATA == "drawn" else DATA
test = drawn_digits() if DATA == "drawn" else load_data(DATA, "test")
x, label = test.x(IMAGE), int(test.labels[IMAGE])  # x: (1, 1, H, W)
systems = {key: load(f"{trained_on}-{key.lower()}") for key in ("TRA", "DeepBE", "INT", "RBC")}

gallery(x, [f"image {IMAGE}, a {label}"], size=180)

# %% [markdown]
# ## 2 · Four kinds of answer
#
# All four systems have the same kind of network. They differ in the *task*: what the last layer is asked to answer.
#
# **TRA**, the traditional classifier: ten scores, and the largest wins.

# %%
outputs_figure(systems["TRA"].task, systems["TRA"].outputs(x), label=label)

# %% [markdown]
# **DeepBE**: four bits, which spell the class number in binary, such as `0101` for 5. A bit is 1 if its output (the
# circle) is above 0.5.

# %%
outputs_figure(systems["DeepBE"].task, systems["DeepBE"].outputs(x), label=label)

# %% [markdown]
# **RBC**: four bits again, but training pushes each one far from 0, to a *margin* of S = 350 (the dotted lines).
# The blue half of each gauge is the half that this label needs.

# %%
outputs_figure(systems["RBC"].task, systems["RBC"].outputs(x), label=label)

# %% [markdown]
# **INT**: a single number. Each class owns an interval of the line. Between the intervals lie gaps (hatched).
# A number in a gap means *None*: "I do not recognise this image".

# %%
outputs_figure(systems["INT"].task, systems["INT"].outputs(x), label=label)

# %% tags=["check"]
answers = {key: int(system.predict(x)) for key, system in systems.items()}
print(answers)
assert set(answers.values()) == {label}, f"All four should read {label}, but they read {answers}."  # ✓1
assert 2**systems["RBC"].task.width - len(test.classes) == 6, "Six patterns of bits belong to no class."  # ✓1

# %% [markdown]
# **Predict.** RBC has 4 bits, so there are 16 patterns. Ten of them are classes. What does the system answer if the
# network outputs one of the other six?
#
# <details><summary>What happens</summary>
#
# *None* again. RBC can refuse to answer, as INT can [✓1]. TRA cannot: one of ten scores is always the largest.
# </details>

# %% [markdown]
# ## 3 · An attack
#
# **A real case.** In 2018, Eykholt and others stuck a few black and white stickers on a stop sign. To people it looked
# like a stop sign with stickers. The classifier that they attacked took it for a speed limit of 45 in every image taken
# in the laboratory, and in more than four out of five video frames taken from a moving car. The stickers were not
# random: an attack had computed them.
#
# **The threat model.** Before you ask *whether* a system withstands an attack, say which attacker you mean:
#
# | | the stickers | this course, unless it says otherwise |
# | --- | --- | --- |
# | What does the attacker want? | "speed limit 45" | any wrong answer; or another *class*, since None is an alarm |
# | What does the attacker know? | the whole network | the whole network and how it answers: a *white box* |
# | What may the attacker do? | a few stickers on the sign | change each pixel by at most ε, within 0 and 1 |
#
# "At most ε" is a model, too: it is easy to state and to check, and it stands for "so little that a person still sees
# the same thing". An attack that succeeds under a threat model proves that the system can be broken. An attack that
# fails proves little.
#
# Our attack starts at the image and goes *uphill*, step by step, on a quantity that grows as the system gets worse.
# The usual choice is the system's own **training loss**.
#
# **Predict.** Which of the four will still read the correct digit? Write their names into the list.

# %%
guess = []  # such as ["TRA", "INT"]

# %%
def attacked(key, objective, eps=EPS, criterion="misclassified"):
    settings = PGD(eps=eps, steps=10, random_start=False, keep="best", objective=objective, criterion=criterion)
    return attack(systems[key], x, test.labels[IMAGE : IMAGE + 1], settings)


own = {key: attacked(key, "train") for key in systems}
captions = [f"{key} reads {int(r.decoded)}" for key, r in own.items()]
gallery([r.images[0] for r in own.values()], captions, looks=[look_of(int(r.decoded), label) for r in own.values()])

# %% tags=["check"]
standing = [key for key, r in own.items() if int(r.decoded) == label]
print(f"you said {guess}, still correct: {standing}")
assert standing == ["INT", "RBC"], "Only INT and RBC should still read the label. Have you changed DATA or IMAGE?"  # ✓2

# %% [markdown]
# <details><summary>What you should see</summary>
#
# TRA and DeepBE now read another digit; INT and RBC still read the correct one [✓2]. *You* can read all four images
# without effort. (With `DATA = "digits"`, 8×8 pixels and ε = 0.2, that is not so easy: the fewer pixels there are, the
# more each of them has to change.) Does this mean that INT and RBC are robust? Look at their images again before you
# believe it.
# </details>
#
# ## 4 · What did the attack do?
#
# Here is only the *change* that was made to each image, amplified. Grey means that nothing changed.
#
# **Predict.** What will the change look like for INT and RBC?

# %%
changes = [perturbation(x, r.images, k=2.5, scale=12) for r in own.values()]
gallery(changes, list(own))

# %% tags=["check"]
for key, r in own.items():
    print(f"{key:7} unmoved: {bool(r.unmoved)}   gradient exactly 0 at every step: {bool(r.zero_gradient)}")
assert all(bool(own[key].unmoved) and bool(own[key].zero_gradient) for key in ("INT", "RBC"))  # ✓3 ✓4
assert not any(bool(own[key].zero_gradient) for key in ("TRA", "DeepBE"))
losses = {key: float(s.task.loss(s.read(x), test.labels[IMAGE : IMAGE + 1])) for key, s in systems.items()}
assert losses["INT"] == losses["RBC"] == 0 < min(losses["TRA"], losses["DeepBE"])  # ✓4

# %% [markdown]
# <details><summary>What you should see</summary>
#
# For INT and RBC the attack returned exactly the image that it was given, bit for bit [✓3]. Nothing was attacked! On
# this image their training loss is exactly 0, and so is its gradient [✓4]. An attack that climbs this loss has nothing
# to climb. This is called *gradient masking*. A high accuracy under such an attack tells you how often the attack found
# nothing to climb, not how robust the system is.
# </details>
#
# ## 5 · The same attack, aimed at something else
#
# Training needs the loss; the attacker does not. What the attacker wants is a wrong *answer*, so let the attack reduce
# the **margin** instead: the distance between the outputs and the point at which the answer changes. Everything else
# stays as it was.
#
# **Predict.** How many of the four still read the correct digit now?

# %%
guess = None  # a number from 0 to 4

# %%
aimed = {key: attacked(key, "margin") for key in systems}
words = {key: "None" if int(r.decoded) < 0 else str(int(r.decoded)) for key, r in aimed.items()}
captions = [f"{key} reads {word}" for key, word in words.items()]
gallery([r.images[0] for r in aimed.values()], captions, looks=[look_of(int(r.decoded), label) for r in aimed.values()])

# %% tags=["check"]
standing = [key for key, r in aimed.items() if int(r.decoded) == label]
print(f"you said {guess}, still correct: {len(standing)}")
assert standing == [], f"No system should read the label any more, but these do: {standing}."  # ✓5

# %% [markdown]
# This is what happened to RBC's bits. Circles show the outputs before the attack, filled markers those after it.

# %%
outputs_figure(systems["RBC"].task, systems["RBC"].outputs(x), systems["RBC"].outputs(aimed["RBC"].images), label=label)

# %% [markdown]
# And this is what happened to INT's number.

# %%
outputs_figure(systems["INT"].task, systems["INT"].outputs(x), systems["INT"].outputs(aimed["INT"].images), label=label)

# %% [markdown]
# <details><summary>What you should see</summary>
#
# RBC: one or more bits were pushed across 0, in spite of a margin of hundreds. INT: the number left its interval [✓5].
# A margin in the *outputs* is not a distance in the *image*: small changes of pixels can be enough to cross it.
#
# One image proves nothing about the accuracy of a system. It shows what can happen. Notebook 08 repeats this with many
# images.
# </details>

# %% [markdown]
# ## Exercise 1 · How small is small? (5 minutes)
#
# Find the smallest ε in `radii` at which the attack on the **margin** makes RBC misclassify this image.
#
# *Hint.* Section 3 defines a function that attacks one system and takes an `eps`. `bool(result.fooled)` says whether an
# attack succeeded.

# %% tags=["exercise"]
radii = [0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.15, 0.2]
smallest = None  # replace None: one of the radii

# %% tags=["solution"]
for eps in radii:
    if bool(attacked("RBC", "margin", eps=eps).fooled):
        smallest = eps
        break
smallest

# %% tags=["check"]
def fools(eps):
    return bool(attacked("RBC", "margin", eps=eps).fooled)


assert smallest in radii, "Exercise 1: `smallest` should be one of the radii. Try them in a loop, from the smallest."
assert fools(smallest), f"Exercise 1: with ε = {smallest} RBC still classifies it correctly. Try a larger ε."
assert not any(fools(eps) for eps in radii if eps < smallest), "Exercise 1: a smaller ε in the list works as well."

# %% [markdown]
# ## Exercise 2 · A wrong answer that nobody notices (5 minutes)
#
# If INT answers *None*, it raises an alarm. A real attacker prefers another **digit**, so that nobody notices. Attack
# INT on its margin again, now with `criterion="evaded"`, which does not count None as a success, and with ε = 0.4. Find
# out which digit INT reads then.
#
# *Hint.* The function of section 3 takes a `criterion`, too. Its result holds the label that was read, as `decoded`.

# %% tags=["exercise"]
read_as = None  # replace None: the digit that INT reads after the attack

# %% tags=["solution"]
read_as = int(attacked("INT", "margin", eps=0.4, criterion="evaded").decoded)
read_as

# %% tags=["check"]
assert read_as is not None, "Exercise 2: set `read_as` to the digit that INT reads under criterion='evaded'."
assert read_as != -1, "Exercise 2: −1 is None, the alarm. Have you set criterion='evaded' and eps=0.4?"
assert read_as != label, "Exercise 2: this is still the correct digit. Have you set eps=0.4?"
assert read_as in range(10), "Exercise 2: `read_as` should be a digit from 0 to 9."
assert read_as == int(attacked("INT", "margin", eps=0.4, criterion="evaded").decoded), (
    f"Exercise 2: INT reads another digit than {read_as} under this attack. Have you run it, with all the settings?")

# %% [markdown]
# ## The same in the app
#
# Start the app with `streamlit run app` in tasklab's folder and open this link. The page draws the same kind of digit,
# or shows the same image, under these attacks. Drag ε and watch.

# %%
same = Scenario(data=trained_on, image=IMAGE, eps=EPS)
print(same.link("draw") + f"&draw_example={label}" if DATA == "drawn" else same.link("attack_lab"))

# %% [markdown]
# ## Glossary
#
# These are the terms of this course; the app has the same list under "Glossary".

# %%
glossary()

# %% [markdown]
# ## Questions (5 minutes)
#
# 1. The attack on the training loss left RBC's image unchanged. Why?
#    (a) RBC is robust. (b) The loss was exactly 0 at this image, and so was its gradient. (c) ε was too small.
# 2. "Under PGD with ε = 0.15 our system keeps 90 % accuracy." What would you ask first?
# 3. Why can INT and RBC answer *None*, and TRA cannot?
# 4. What surprised you most? Write one sentence and show it to your neighbour.
#
# <details><summary>Answers</summary>
#
# 1. (b). With the same ε, the attack on the margin worked, so it is neither (a) nor (c).
# 2. What did PGD climb? And on how many images was that gradient exactly 0?
# 3. INT's line has gaps, and RBC has bit patterns that belong to no class. Of ten scores one is always the largest.
# </details>
#
# ## Further reading
#
# - [@han2020] The paper that this course examines.
# - [@eykholt2018] The stop sign.
# - [@szegedy2014] The discovery of adversarial examples.
# - [@goodfellow2015] FGSM.
# - [@athalye2018] Why attacks that find no gradient prove nothing.
