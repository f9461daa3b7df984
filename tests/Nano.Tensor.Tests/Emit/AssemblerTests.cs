namespace Nano.Tests;

/// <summary>
/// Machine code against the bytes that the GNU assembler 2.40 makes of the same instructions.
/// </summary>
public class AssemblerTests
{
    private static void AssertBytes(string expected, Action<Assembler> write)
    {
        var assembler = new Assembler();
        write(assembler);
        Assert.Equal(expected, Convert.ToHexString(assembler.ToArray()).ToLowerInvariant());
    }

    [Theory]
    [InlineData(0, Register.Rcx, 0, "62f17c481001")]
    [InlineData(17, Register.Rcx, 64, "62e17c48104901")]
    [InlineData(31, Register.R9, -128, "62417c481079fe")]
    [InlineData(8, Register.Rsp, 64, "62717c4810442401")]
    [InlineData(8, Register.Rbp, 0, "62717c48104500")]
    [InlineData(24, Register.R12, 8, "62417c4810842408000000")]
    [InlineData(24, Register.R13, 8192, "62417c48108500200000")]
    internal void Vectors_are_loaded_from_any_address(int vector, Register address, int displacement,
        string expected) =>
        AssertBytes(expected, code => code.LoadVector(vector, address, displacement));

    [Theory]
    [InlineData(Register.Rax, 0, 5, "62f17c481128")]
    [InlineData(Register.Rdx, 8128, 30, "62617c4811727f")]
    internal void Vectors_are_stored(Register address, int displacement, int vector, string expected) =>
        AssertBytes(expected, code => code.StoreVector(address, displacement, vector));

    [Theory]
    [InlineData(26, Register.Rsi, 0, "62627d485816")]
    [InlineData(3, Register.Rsi, 508, "62f27d48585e7f")]
    [InlineData(31, Register.R15, 512, "62427d4858bf00020000")]
    [InlineData(16, Register.Rsi, -512, "62e27d48584680")]
    [InlineData(9, Register.Rdi, 6, "62727d48588f06000000")]
    internal void One_lane_is_broadcast(int vector, Register address, int displacement, string expected) =>
        AssertBytes(expected, code => code.Broadcast(vector, address, displacement));

    [Theory]
    [InlineData(0, "62f17d48efc0")]
    [InlineData(13, "62511548efed")]
    [InlineData(29, "62011540efed")]
    public void A_vector_is_cleared(int vector, string expected) => AssertBytes(expected, code => code.Clear(vector));

    [Theory]
    [InlineData(0, 26, 24, "62922e4052c0")]
    [InlineData(23, 31, 25, "6282064052f9")]
    [InlineData(8, 7, 15, "6252464852c7")]
    [InlineData(16, 0, 31, "62827e4852c7")]
    public void Bfloat16_pairs_are_multiplied(int sum, int left, int right, string expected) =>
        AssertBytes(expected, code => code.DotBFloat16(sum, left, right));

    [Theory]
    [InlineData(Register.Rax, Register.Rcx, "4889c8")]
    [InlineData(Register.R9, Register.Rbx, "4989d9")]
    [InlineData(Register.Rdi, Register.R14, "4c89f7")]
    internal void A_register_is_moved(Register register, Register other, string expected) =>
        AssertBytes(expected, code => code.Move(register, other));

    [Theory]
    [InlineData(Register.Rcx, Register.R8, "4c01c1")]
    [InlineData(Register.R11, Register.Rsi, "4901f3")]
    internal void A_register_is_added(Register register, Register other, string expected) =>
        AssertBytes(expected, code => code.Add(register, other));

    [Theory]
    [InlineData(Register.Rsi, 1088, "4881c640040000")]
    [InlineData(Register.Rdi, 128, "4881c780000000")]
    internal void A_number_is_added(Register register, int number, string expected) =>
        AssertBytes(expected, code => code.Add(register, number));

    [Theory]
    [InlineData(Register.Rdi, "48ffcf")]
    [InlineData(Register.R12, "49ffcc")]
    internal void A_register_is_decremented(Register register, string expected) =>
        AssertBytes(expected, code => code.Decrement(register));

    [Fact]
    public void A_loop_jumps_back_and_code_ends() => AssertBytes("48ffcf0f85f7ffffffc5f877c3", code =>
    {
        int top = code.Position;
        code.Decrement(Register.Rdi);
        code.JumpUnlessZero(top);
        code.ZeroUpper();
        code.Return();
    });
}
