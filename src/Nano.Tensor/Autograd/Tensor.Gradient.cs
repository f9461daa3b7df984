namespace Nano;

/// <summary>The gradient of a tensor, whether it wants one, and how long its memory lives.</summary>
public sealed unsafe partial class Tensor
{
    private StepTensors? step; // where views of this one come from, if it is of a step
    private Arena? arena; // whose reset ends the life of this one; of a view mostly that of its root
    private bool isReleased; // of a root: its memory has gone back to the arena
    private Tensor? gradient;
    private int gradientGeneration; // of the gradient when it was set; another one says that it is another tensor now
    private bool gradientIsEmpty;
    private int owners = 1; // how many tensors have this one as their gradient, or 1

    private bool wantsGradient; // of a root; a view asks its root

    /// <summary>
    /// True if a backward pass computes a gradient for this tensor. By default true for float
    /// tensors that no op computed: parameters and inputs; a frozen one is set to false before
    /// gradients are enabled. The output of an op wants a gradient if a tape recorded the op and
    /// one of its inputs wants one. Ids never do; a view has the value of its root.
    /// </summary>
    /// <exception cref="InvalidOperationException">It is set for a view, or to true for ids or packed
    /// weights.</exception>
    public bool WantsGradient
    {
        get => Root.wantsGradient;
        set
        {
            if (parent is not null || (value && (Type != DType.Float32 || IsPacked)))
                throw new InvalidOperationException(parent is null
                    ? $"{this} holds {(IsPacked ? "packed weights" : "ids")}, which have no gradient"
                    : $"{this} is a view: set it for its root");
            wantsGradient = value;
            if (!value)
                gradient = null;
        }
    }

    private InvalidOperationException Gone() => Root.buffer!.IsClosed
        ? new ObjectDisposedException(nameof(Tensor), $"the memory of tensor {this} has been freed")
        : new InvalidOperationException(arena!.Generation == Generation
            ? $"tensor {this} was released: nothing in its step needed it any more (a tape with RetainsAll retains "
            + "what a backward pass has used)"
            : $"tensor {this} belongs to a step that has ended");

    /// <summary>
    /// True if a gradient has been written. A view's gradient is a view of its parent's.
    /// </summary>
    public bool HasGradient => HasGradientMemory ? !gradientIsEmpty : parent?.HasGradient ?? false;

    /// <summary>
    /// True if memory for a gradient is allocated. Memory that an earlier backward pass allocated
    /// from the step's arena becomes invalid when the step ends.
    /// </summary>
    private bool HasGradientMemory => gradient is { IsGone: false } && gradient.Generation == gradientGeneration;

    /// <summary>The generation of the arena in which this was allocated from it.</summary>
    internal int Generation { get; private set; }

    /// <summary>
    /// True if this tensor's memory has been returned to its arena, or the arena has been reset.
    /// </summary>
    internal bool IsGone => (arena is not null && arena.Generation != Generation)
        || (parent is null ? isReleased : Root.IsGone);

    /// <summary>The gradient of the loss with respect to this tensor, in the same shape.</summary>
    /// <exception cref="InvalidOperationException">None has been computed.</exception>
    public Tensor Gradient => HasGradientMemory && !gradientIsEmpty ? gradient!
        : parent is { HasGradient: true } ? ViewOfParentGradient()
        : throw new InvalidOperationException(WantsGradient
            ? $"tensor {this} has no gradient: was it part of the loss, and was Backward called?"
            : $"tensor {this} has no gradient: it wants none (it is frozen, or was made without a tape or from "
            + "frozen tensors)");

    /// <summary>
    /// Returns the memory of this tensor's elements to the step's arena, for other tensors. It can
    /// still receive a gradient. No effect on views, on tensors in other memory, and the second
    /// time.
    /// </summary>
    internal void ReleaseValues(Arena step)
    {
        if (parent is not null || arena != step || IsGone || --owners > 0)
            return;
        arena.Return(buffer!, offset, Length);
        isReleased = true;
    }

    /// <summary>
    /// Allocates memory for the elements again after <see cref="ReleaseValues"/>, not cleared.
    /// Views use it from now on.
    /// </summary>
    internal void Reallocate()
    {
        (buffer, offset) = arena!.Allocate(Length);
        (isReleased, owners) = (false, 1);
    }

    /// <summary>
    /// Returns the memory of this tensor and of its gradient, unless another tensor has adopted it
    /// as its gradient.
    /// </summary>
    internal void Release(Arena step)
    {
        ReleaseValues(step);
        if (HasGradientMemory)
            gradient!.ReleaseValues(step);
        gradient = null;
    }

    private Tensor ViewOfParentGradient() =>
        parent!.Gradient.View(parent.parent is null ? offset : offset - parent.offset, Shape, RowStride);

    /// <summary>
    /// The place where an op's backward adds its contribution. The first contribution to a fresh
    /// gradient may overwrite (Accumulate is false), so that gradients need no clearing; a view
    /// shares its parent's gradient, which is cleared at the first touch. Only for tensors that
    /// want a gradient.
    /// </summary>
    internal GradientTarget GradientFor(Compute compute)
    {
        if (!WantsGradient)
            throw new InvalidOperationException($"tensor {this} wants no gradient, so none may be computed for it");
        if (parent is not null)
        {
            if (!parent.HasGradient)
            {
                var target = parent.GradientFor(compute);
                if (!target.Accumulate)
                    compute.Clear(target.Pointer, (nint)parent.Length);
            }
            return new GradientTarget(Root.Gradient.Pointer + offset, true);
        }
        bool first = !HasGradientMemory || gradientIsEmpty;
        if (!HasGradientMemory)
            SetGradientTo(InStep(compute.StepTensors, Contiguous("gradient").Shape));
        gradientIsEmpty = false;
        return new GradientTarget(gradient!.Pointer, !first);
    }

    /// <summary>
    /// A fresh gradient to begin a backward pass with, not cleared; for a view, its part of a fresh
    /// gradient of zeros.
    /// </summary>
    internal Tensor StartGradient(Compute compute)
    {
        var root = Root;
        root.SetGradient(InStep(compute.StepTensors, root.Shape));
        if (root != this)
            root.Gradient.Data.Clear();
        return Gradient;
    }

    /// <summary>
    /// Uses a tensor that is no longer needed as this one's gradient, instead of a copy; refused
    /// when a gradient exists.
    /// </summary>
    internal bool TryAdoptGradient(Tensor from)
    {
        if (parent is not null || HasGradientMemory || !IsContiguous || !from.IsContiguous || from.parent is not null)
            return false;
        from.owners++;
        SetGradientTo(from);
        return true;
    }

    /// <summary>Sets the gradient: from now on contributions are added to it.</summary>
    public void SetGradient(Tensor target)
    {
        if (target.Shape != Shape)
            throw new ArgumentException($"gradient of shape {target.Shape} for a tensor of shape {Shape}");
        if (parent is not null)
            throw new InvalidOperationException($"{this} is a view: its gradient is part of its parent's");
        if (!wantsGradient)
            throw new InvalidOperationException($"{this} wants no gradient");
        SetGradientTo(target.Contiguous("gradient"));
    }

    private void SetGradientTo(Tensor target) =>
        (gradient, gradientGeneration, gradientIsEmpty) = (target, target.Generation, false);

    /// <summary>
    /// Clears a gradient without releasing its memory: the next contribution overwrites it.
    /// </summary>
    public void ForgetGradient() => gradientIsEmpty = true;
}
