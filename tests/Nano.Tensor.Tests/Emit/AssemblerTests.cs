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

    [Theory]
    [InlineData(17, 3, Register.Rsi, 0, "62e26558500e")]
    [InlineData(30, 7, Register.R11, 28, "62424558507307")]
    internal void Bytes_are_multiplied_with_four_of_memory(int sum, int codes, Register address, int displacement,
        string expected) => AssertBytes(expected, code => code.DotBytes(sum, codes, address, displacement));

    [Theory]
    [InlineData(6, 6, 4, "62f14d4872d604")]
    [InlineData(18, 30, 7, "62916d4072d607")]
    [InlineData(31, 5, -2, "62f1054072f502")]
    public void Lanes_are_shifted(int vector, int from, int right, string expected) =>
        AssertBytes(expected, code => code.ShiftRight(vector, from, right));

    [Theory]
    [InlineData(18, Register.Rsi, 44, 3, "62f16d5072760b03")]
    [InlineData(29, Register.R10, 36, 7, "62d1155072720907")]
    internal void A_lane_of_memory_is_shifted(int vector, Register address, int displacement, int left,
        string expected) => AssertBytes(expected, code => code.BroadcastShifted(vector, address, displacement, left));

    [Theory]
    [InlineData(18, "62a17c485bd2")]
    public void Whole_numbers_become_floats(int vector, string expected) =>
        AssertBytes(expected, code => code.ToFloats(vector, vector));

    [Theory]
    [InlineData(30, Register.Rax, 44, "62617c585b700b")]
    internal void A_whole_number_of_memory_becomes_floats(int vector, Register address, int displacement,
        string expected) => AssertBytes(expected, code => code.BroadcastToFloats(vector, address, displacement));

    [Theory]
    [InlineData(20, 10, Register.Rsi, 32, "62e12c58596608")]
    [InlineData(29, 31, Register.R11, 32, "62410450596b08")]
    internal void Floats_are_multiplied_by_one_of_memory(int vector, int left, Register address, int displacement,
        string expected) => AssertBytes(expected, code => code.Multiply(vector, left, address, displacement));

    [Fact]
    public void Bits_and_sums()
    {
        AssertBytes("62d16d48dbd0", code => code.And(2, 2, 8));
        AssertBytes("62813548dbd7", code => code.And(18, 9, 31));
        AssertBytes("62b14548ebfa", code => code.Or(7, 7, 18));
        AssertBytes("62a16d40fed3", code => code.AddIntegers(18, 18, 19));
        AssertBytes("62326d40b8f4", code => code.MultiplyAdd(14, 18, 20));
        AssertBytes("62821540bccf", code => code.MultiplySubtract(17, 29, 31));
    }

    [Fact]
    public void Constants_and_fetches()
    {
        AssertBytes("b80f0f0f0f62727d487cc0", code => code.Constant(8, Register.Rax, 0x0f0f0f0f));
        AssertBytes("bfffffffff62627d487ccf", code => code.Constant(25, Register.Rdi, 0xffffffff));
        AssertBytes("0f189700400000", code => code.Fetch(Register.Rdi, 16384));
        AssertBytes("0f185640", code => code.Fetch(Register.Rsi, 64));
    }
}
